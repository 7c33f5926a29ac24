import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, connect, openSocket, subscribe } from './clients.mjs';
import { Server } from './server.mjs';
import { until } from './wait.mjs';

test('a subscriber that stops reading delays nobody, and loses nothing without being told', async (t) => {
  const server = await Server.start(t);
  const query = 'subscription Feed { feed(filter: { kinds: [ALERT_CREATED] }) { cursor alert { id message } } }';
  const fast = subscribe(connect(t, server), query);
  const slow = await openSocket(t, server);
  slow.send({ id: '1', type: 'subscribe', payload: { query } });
  const events = () => slow.messages.items.filter(({ type }) => type === 'next').map(({ payload }) => payload.data.feed);
  await fast.live(() => server.createAlert());
  await until('the slow one to begin', async () => (await server.createAlert(), events().length > 0));

  // More than the kernel keeps for a connection on loopback, so that the server does run into the wall.
  slow.socket.pause();
  const subscribers = async () => {
    const answer = await fetch(`${server.url}/metrics`, { headers: bearer });
    return Number((await answer.text()).match(/^rustbucket_alerts_subscribers (\d+)$/m)[1]);
  };
  assert.equal(await subscribers(), 2);
  const ids = [];
  const of = (feed) => feed.map(({ alert }) => alert.id).filter((id) => ids.includes(id));
  let meanwhile = 0; // how many the fast one was told of while the server had not yet given up the slow one
  const look = async () => {
    const told = of(fast.items.map(({ feed }) => feed)).length;
    if ((await subscribers()) === 2) meanwhile = told;
  };
  const filler = 'x'.repeat(9_900);
  for (let batch = 0; batch < 40; batch++) {
    const inputs = Array.from({ length: 50 }, (_, index) => ({ type: 'bulk', message: `${batch} ${index} ${filler}` }));
    const { createAlerts } = await server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs });
    ids.push(...createAlerts.map(({ id }) => id));
    await look();
  }
  await fast.see('every alert', (items) => items.at(-1)?.feed.alert.id === ids.at(-1));
  assert.deepEqual(of(fast.items.map(({ feed }) => feed)), ids);
  await look();
  const last = await server.createAlert({ type: 'last' });
  await fast.see('one more', (items) => items.at(-1)?.feed.alert.id === last);
  assert.ok(events().length < ids.length, 'the slow one was not held back: the test proves nothing');

  slow.socket.resume();
  const outcome = await Promise.race([
    slow.messages.see('all of it', () => events().at(-1)?.alert.id === last).then(() => 'caught up', () => new Promise(() => {})),
    slow.closed(),
  ]);
  const seen = of(events());
  t.diagnostic(`the slow one saw ${seen.length} of ${ids.length}: ${JSON.stringify(outcome)}; meanwhile the fast one saw ${meanwhile}`);
  if (outcome === 'caught up') {
    assert.deepEqual(seen, ids);
  } else {
    // A machine that took long for all this has cut it off: nothing can be said to who does not read.
    assert.ok(outcome.code > 1001 && outcome.code !== 1005, `closed with ${outcome.code}`);
    assert.ok(outcome.reason || outcome.code === 1006, 'closed without a reason');
    assert.deepEqual(seen, ids.slice(0, seen.length), 'there was a gap before it was closed');
    assert.ok(meanwhile > seen.length, `the fast one was told of ${meanwhile} before the slow one was given up`);
  }
});
