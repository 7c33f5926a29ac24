import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, subscribe } from './clients.mjs';
import { Receiver } from './receiver.mjs';
import { Server } from './server.mjs';
import { patience, until } from './wait.mjs';

const feedQuery = `subscription Feed($after: String, $filter: FeedFilter) {
  feed(after: $after, filter: $filter) {
    cursor kind at alert { id message } delivery { id status attempts } attempt { number statusCode }
  }
}`;

test('each subscription tells of an alert and of its delivery', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => ({ status: 200, body: 'thanks' });
  const channel = await server.createWebhook('Receiver', receiver.url);
  const client = connect(t, server);

  const created = subscribe(client, 'subscription Created { alertCreated { id type severity message details isResolved rustbucket { id name } } }');
  const updated = subscribe(client, 'subscription Updated { alertUpdated { id isResolved resolvedAt occurrences } }');
  const delivered = subscribe(client, `subscription Delivered {
    deliveryUpdated { id status attempts error alert { id } channel { id name } attemptLog { number statusCode response } }
  }`);
  const feed = subscribe(client, feedQuery);
  const probe = () => server.createAlert({ message: 'probe' });
  const resolve = (id) => server.do('mutation ($id: ID!) { resolveAlert(id: $id) { id } }', { id });
  await created.live(probe);
  await updated.live(async () => resolve(await probe()));
  await delivered.live(probe);
  await feed.live(probe);

  const id = await server.createAlert({
    type: 'high_cpu',
    severity: 'HIGH',
    message: 'the one',
    details: { load: 9.5, cores: [1, 2] },
    rustbucket: { id: 'BKT123456', name: 'Production Node 1' },
  });
  const alert = await created.see('the alert', (items) => items.find((item) => item.alertCreated.id === id));
  assert.deepEqual(alert.alertCreated, {
    id,
    type: 'high_cpu',
    severity: 'HIGH',
    message: 'the one',
    details: { load: 9.5, cores: [1, 2] },
    isResolved: false,
    rustbucket: { id: 'BKT123456', name: 'Production Node 1' },
  });
  const { deliveryUpdated } = await delivered.see('the delivery', (items) =>
    items.find(({ deliveryUpdated: { alert, status } }) => alert.id === id && status === 'DELIVERED'),
  );
  assert.deepEqual(
    { ...deliveryUpdated, id: 0 },
    {
      id: 0,
      status: 'DELIVERED',
      attempts: 1,
      error: null,
      alert: { id },
      channel: { id: channel, name: 'Receiver' },
      attemptLog: [{ number: 1, statusCode: 200, response: 'thanks' }],
    },
  );
  await resolve(id);
  const change = await updated.see('the resolve', (items) => items.find((item) => item.alertUpdated.id === id));
  assert.equal(change.alertUpdated.isResolved, true);
  assert.ok(Date.parse(change.alertUpdated.resolvedAt) > 0);

  const story = await feed.see('the whole story', (items) => {
    const own = items.map((item) => item.feed).filter((event) => event.alert.id === id);
    return own.some(({ kind }) => kind === 'ALERT_UPDATED') && own;
  });
  assert.deepEqual(
    story.map(({ kind, delivery, attempt }) => [kind, delivery?.status, attempt?.statusCode]),
    [
      ['ALERT_CREATED', undefined, undefined],
      ['DELIVERY_UPDATED', 'DELIVERED', 200],
      ['ALERT_UPDATED', undefined, undefined],
    ],
  );
  assert.equal(story[1].delivery.id, deliveryUpdated.id);

  const posted = receiver.requests.items.filter(({ alert }) => String(alert.alert_id) === id);
  assert.equal(posted.length, 1);
  assert.equal(posted[0].alert.message, 'the one');
  assert.equal(created.items.filter((item) => item.alertCreated.id === id).length, 1);
});

test('deliveryUpdated tells of every attempt until it is delivered', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => 503;
  await server.createWebhook('Shaky', receiver.url);
  const id = await server.createAlert({ message: 'try again' });
  const pending = await until('the first attempt to fail', async () => {
    const { alert } = await server.do('query ($id: ID!) { alert(id: $id) { deliveries { id status attempts nextAttemptAt attemptLog { startedAt } } } }', { id });
    return alert.deliveries.find(({ attempts }) => attempts > 0);
  });
  assert.equal(pending.status, 'PENDING');
  assert.ok(Date.parse(pending.nextAttemptAt) > Date.parse(pending.attemptLog.at(-1).startedAt));

  const stream = subscribe(connect(t, server), `subscription Delivered($id: ID!) {
    deliveryUpdated(filter: { alertId: $id }) { status attempts error nextAttemptAt attemptLog { number statusCode } }
  }`, { id });
  // Until it is taken, or needed no more: one that is being sent at this moment cannot be retried, and it may be the one that is taken.
  const retry = () => until('the retry to be taken', async () => {
    try {
      return await server.do('mutation ($id: ID!) { retryDelivery(id: $id) { id } }', { id: pending.id });
    } catch (error) {
      assert.match(error.message, /is being sent right now|was delivered already/);
      return /was delivered already/.test(error.message);
    }
  });
  await stream.live(retry);
  receiver.answer = () => 204;
  await retry();
  const last = await stream.see('DELIVERED', (items) => items.map((item) => item.deliveryUpdated).find(({ status }) => status === 'DELIVERED'));
  assert.equal(last.error, null);
  assert.equal(last.nextAttemptAt, null);
  assert.equal(last.attemptLog.length, last.attempts);
  assert.deepEqual(last.attemptLog.map(({ number }) => number), last.attemptLog.map((_, index) => index + 1));
  assert.equal(last.attemptLog.at(0).statusCode, 503);
  assert.equal(last.attemptLog.at(-1).statusCode, 204);
});

test('filters in variables hold back what does not match', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  const first = await server.createWebhook('First', receiver.url);
  await server.createWebhook('Second', receiver.url);
  const client = connect(t, server);
  const byAlert = subscribe(client, 'subscription ByAlert($filter: AlertFilter) { alertCreated(filter: $filter) { id type severity } }', {
    filter: { minSeverity: 'MEDIUM', types: ['wanted', 'probe'], search: 'NEEDLE' },
  });
  const byChannel = subscribe(client, 'subscription ByChannel($filter: DeliveryFilter) { deliveryUpdated(filter: $filter) { status channel { id } alert { id } } }', {
    filter: { channelId: first, statuses: ['DELIVERED'] },
  });
  const byKind = subscribe(client, feedQuery, { filter: { kinds: ['ALERT_CREATED'], minSeverity: 'HIGH', types: ['wanted', 'probe'] } });
  const probe = () => server.createAlert({ type: 'probe', severity: 'HIGH', message: 'a needle' });
  for (const stream of [byAlert, byChannel, byKind]) await stream.live(probe);

  const create = (type, severity, message) => server.createAlert({ type, severity, message });
  const unwanted = [
    await create('other', 'HIGH', 'a needle'),
    await create('wanted', 'LOW', 'a needle'),
    await create('wanted', 'HIGH', 'hay'),
  ];
  const medium = await create('wanted', 'MEDIUM', 'a Needle');
  const high = await create('wanted', 'HIGH', 'the needle');

  await byAlert.see('the last alert', (items) => items.some((item) => item.alertCreated.id === high));
  assert.deepEqual(
    byAlert.items.map((item) => item.alertCreated).filter(({ type }) => type !== 'probe').map(({ id }) => id),
    [medium, high],
  );
  await byKind.see('the last alert', (items) => items.some((item) => item.feed.alert.id === high));
  assert.deepEqual(
    byKind.items.map((item) => item.feed).filter(({ alert }) => alert.message !== 'a needle').map(({ kind, alert }) => [kind, alert.id]),
    [['ALERT_CREATED', unwanted[2]], ['ALERT_CREATED', high]],
  );
  assert.ok(!byKind.items.some((item) => item.feed.alert.id === unwanted[1]));
  await byChannel.see('every delivery', (items) =>
    [...unwanted, medium, high].every((id) => items.some((item) => item.deliveryUpdated.alert.id === id)),
  );
  for (const { deliveryUpdated } of byChannel.items) {
    assert.deepEqual([deliveryUpdated.channel.id, deliveryUpdated.status], [first, 'DELIVERED']);
  }
});

test('a subscription with an error in it says so and spares the others', async (t) => {
  const server = await Server.start(t);
  const client = connect(t, server);
  const good = subscribe(client, 'subscription Good { alertCreated { id } }');
  for (const [query, variables] of [
    ['subscription { nonsense }', {}],
    [feedQuery, { after: 'not a cursor' }],
    [feedQuery, { filter: { minSeverity: 'VERY' } }],
  ]) {
    const bad = subscribe(client, query, variables);
    await until('the refusal', () => bad.ended);
    assert.ok(bad.ended.error, `${query} ${JSON.stringify(variables)} ended without an error`);
    assert.equal(bad.items.length, 0);
  }
  await good.live(() => server.createAlert());
});

// Creates alerts one after the other until told to stop. `acknowledged` are the ids of those that the server said are safe;
// `unsure` the messages of those that it did not answer for.
class Writer {
  acknowledged = [];
  unsure = new Set();
  #stopped = false;
  #failure = null;

  constructor(server, down = () => false) {
    this.done = (async () => {
      for (let number = 1; !this.#stopped; number++) {
        const message = `number ${number}`;
        try {
          this.acknowledged.push(await server.createAlert({ message }));
        } catch (error) {
          if (!down()) throw error;
          this.unsure.add(message);
          await until('the server', () => !down());
        }
      }
    })();
    this.done.catch((error) => (this.#failure = error));
  }

  more(count) {
    const goal = this.acknowledged.length + count;
    return until(`${count} more alerts`, () => {
      if (this.#failure) throw this.#failure;
      return this.acknowledged.length >= goal;
    });
  }

  async stop() {
    this.#stopped = true;
    await this.done;
  }
}

// That the feed's events, put together over all connections, tell of every alert once.
function checkOnce(events, writer) {
  const cursors = new Set(events.map(({ cursor }) => cursor));
  assert.equal(cursors.size, events.length, 'a cursor came twice');
  const alerts = events.filter(({ kind, alert }) => kind === 'ALERT_CREATED' && alert.message.startsWith('number '));
  const ids = alerts.map(({ alert }) => alert.id);
  assert.equal(new Set(ids).size, ids.length, 'an alert came twice');
  const seen = new Set(ids);
  assert.deepEqual(writer.acknowledged.filter((id) => !seen.has(id)), [], 'alerts are missing');
  const safe = new Set(writer.acknowledged);
  const extra = alerts.filter(({ alert }) => !safe.has(alert.id));
  assert.deepEqual(extra.filter(({ alert }) => !writer.unsure.has(alert.message)), [], 'alerts came from nowhere');
  const order = ids.filter((id) => safe.has(id));
  assert.deepEqual(order, writer.acknowledged, 'alerts came out of order');
  const deliveries = events.filter(({ kind, delivery }) => kind === 'DELIVERY_UPDATED' && delivery.status === 'DELIVERED');
  const delivered = deliveries.map(({ alert }) => alert.id);
  assert.equal(new Set(delivered).size, delivered.length, 'a delivery ended twice');
}

// The feed's events come in order, so all is there once every acknowledged alert's delivery has ended. Of a feed that began with `before`.
function complete(writer, before = []) {
  const ended = new Set();
  let [looked, found] = [0, 0];
  const look = ({ delivery, alert }) => delivery?.status === 'DELIVERED' && ended.add(alert.id);
  before.forEach(look);
  return (items) => {
    while (looked < items.length) look(items[looked++].feed);
    while (found < writer.acknowledged.length && ended.has(writer.acknowledged[found])) found++;
    return found === writer.acknowledged.length;
  };
}

test('feed goes on behind a cursor after disconnects, with no gap and no repeat', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  await server.createWebhook('Receiver', receiver.url);
  const start = subscribe(connect(t, server), feedQuery);
  await start.live(() => server.createAlert({ message: 'probe', notify: false }));
  let after = start.items.at(-1).feed.cursor;
  start.close();

  const writer = new Writer(server);
  const events = [];
  for (let round = 0; round < 8; round++) {
    const client = connect(t, server);
    const stream = subscribe(client, feedQuery, { after });
    const goal = writer.acknowledged.length + 10;
    await stream.see('events', (items) => items.length >= 10 && writer.acknowledged.length >= goal);
    if (round % 2) await client.dispose();
    else client.terminate(); // the socket goes without a word
    events.push(...stream.items.map((item) => item.feed));
    after = events.at(-1).cursor;
    await writer.more(5); // which nobody listens to
  }
  await writer.stop();
  const stream = subscribe(connect(t, server), feedQuery, { after });
  await stream.see('the rest', complete(writer, events));
  checkOnce([...events, ...stream.items.map((item) => item.feed)], writer);
});

test('feed goes on over killed and stopped servers, with no gap and no repeat', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  await server.createWebhook('Receiver', receiver.url);
  let down = false;
  const client = connect(t, server, {
    retryAttempts: Infinity,
    retryWait: () => until('the server', () => !down),
    shouldRetry: () => true,
  });
  // graphql-ws sends the variables anew with each connection: a client that keeps `after` up to date in them just goes on.
  const variables = { after: null };
  const stream = subscribe(client, feedQuery, variables);
  const push = stream.push.bind(stream);
  stream.push = (item) => {
    variables.after = item.feed.cursor;
    push(item);
  };
  await stream.live(() => server.createAlert({ message: 'probe', notify: false }));

  const writer = new Writer(server, () => down);
  for (const how of ['kill', 'stop', 'kill', 'kill']) {
    await writer.more(25);
    const seen = stream.items.length;
    down = true;
    await server[how]();
    await server.start();
    down = false;
    await stream.see(`events after ${how}`, (items) => items.length > seen + 10);
  }
  await writer.more(10);
  await writer.stop();
  // A delivery whose end was not written down before the kill is sent again once its lease has run out.
  await stream.see('the end of every delivery', complete(writer), 2 * patience);
  checkOnce(stream.items.map((item) => item.feed), writer);
});

test('a cursor from elsewhere is BAD_USER_INPUT', async (t) => {
  const server = await Server.start(t);
  const stream = subscribe(connect(t, server), feedQuery, { after: 'bm90IG91cnM' });
  await until('the refusal', () => stream.ended);
  assert.match(JSON.stringify(stream.ended.error?.message ?? stream.ended.error), /BAD_USER_INPUT/);
});
