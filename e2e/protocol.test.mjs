// What the server does with clients of graphql-transport-ws that break its rules, and how it leaves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, connect, openSocket, subscribe } from './clients.mjs';
import { Server, token } from './server.mjs';
import { until } from './wait.mjs';

const ask = { query: '{ viewer { name role } }' };
const listen = { query: 'subscription { alertCreated { id } }' };

test('graphql-transport-ws', async (t) => {
  const server = await Server.start(t);

  for (const [name, message] of [
    ['no payload', { type: 'connection_init' }],
    ['an empty payload', { type: 'connection_init', payload: {} }],
    ['a wrong token', { type: 'connection_init', payload: { Authorization: 'Bearer wrong' } }],
    ['an empty token', { type: 'connection_init', payload: { Authorization: 'Bearer ' } }],
    ['another scheme', { type: 'connection_init', payload: { Authorization: `Basic ${token}` } }],
    ['a token that is no string', { type: 'connection_init', payload: { Authorization: { Bearer: token } } }],
  ]) {
    await t.test(`${name} in connection_init: 4403`, async (t) => {
      const raw = await openSocket(t, server, { init: false });
      raw.send(message);
      const { code, reason } = await raw.closed();
      assert.equal(code, 4403);
      assert.ok(reason);
      assert.ok(!raw.messages.items.some(({ type }) => type === 'connection_ack'));
    });
  }

  await t.test('subscribe before connection_init: 4401', async (t) => {
    const raw = await openSocket(t, server, { init: false });
    raw.send({ id: '1', type: 'subscribe', payload: ask });
    assert.equal((await raw.closed()).code, 4401);
    assert.deepEqual(raw.messages.items, []);
  });

  await t.test('a second connection_init: 4429', async (t) => {
    const raw = await openSocket(t, server);
    raw.send({ type: 'connection_init', payload: bearer });
    assert.equal((await raw.closed()).code, 4429);
  });

  await t.test('an operation id twice: 4409', async (t) => {
    const raw = await openSocket(t, server);
    raw.send({ id: 'same', type: 'subscribe', payload: listen });
    raw.send({ id: 'same', type: 'subscribe', payload: listen });
    assert.equal((await raw.closed()).code, 4409);
  });

  await t.test('an operation id again after its completion: fine', async (t) => {
    const raw = await openSocket(t, server);
    for (let round = 1; round <= 3; round++) {
      raw.send({ id: 'same', type: 'subscribe', payload: ask });
      await raw.messages.see('completion', (items) => items.filter(({ type }) => type === 'complete').length === round);
    }
    const answers = raw.messages.items.filter(({ type }) => type === 'next');
    assert.deepEqual(answers.map(({ payload }) => payload.data.viewer.role), ['ADMIN', 'ADMIN', 'ADMIN']);
  });

  await t.test('no connection_init in time: 4408', async (t) => {
    const raw = await openSocket(t, server, { init: false });
    assert.equal((await raw.closed()).code, 4408);
  });

  for (const [name, message] of [
    ['no JSON', 'hello'],
    ['an unknown type', { type: 'hello' }],
    ['a subscribe without a query', { id: '1', type: 'subscribe', payload: {} }],
  ]) {
    await t.test(`${name}: 4400, or an error for that operation`, async (t) => {
      const raw = await openSocket(t, server);
      raw.send(message);
      if (message.id) {
        const answer = await Promise.race([
          raw.closed().then(({ code }) => code),
          raw.messages.see('an error', (items) => items.find(({ type }) => type === 'error')).catch(() => new Promise(() => {})),
        ]);
        if (answer !== 4400) assert.ok(answer.payload[0].message, JSON.stringify(answer));
      } else {
        assert.equal((await raw.closed()).code, 4400);
      }
    });
  }

  await t.test('ping is answered by pong', async (t) => {
    const raw = await openSocket(t, server);
    raw.send({ type: 'ping' });
    await raw.messages.see('pong', (items) => items.some(({ type }) => type === 'pong'));
  });

  await t.test('an invalid operation ends alone', async (t) => {
    const raw = await openSocket(t, server);
    raw.send({ id: 'bad', type: 'subscribe', payload: { query: '{ nonsense }' } });
    const error = await raw.messages.see('an error', (items) => items.find(({ type }) => type === 'error'));
    assert.equal(error.id, 'bad');
    assert.equal(error.payload[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    raw.send({ id: 'good', type: 'subscribe', payload: ask });
    await raw.messages.see('the other one', (items) => items.some(({ id, type }) => id === 'good' && type === 'complete'));
  });

  await t.test('queries and mutations work over the socket, too', async (t) => {
    const client = connect(t, server);
    const created = subscribe(client, 'mutation Create($input: CreateAlertInput!) { createAlert(input: $input) { id message } }', {
      input: { type: 'e2e', message: 'over the socket' },
    });
    const { createAlert } = await created.see('the answer', ([item]) => item);
    await until('its completion', () => created.ended);
    assert.equal(created.ended.error, null);
    const found = subscribe(client, 'query Find($id: ID!) { alert(id: $id) { message } }', { id: createAlert.id });
    assert.deepEqual(await found.see('the answer', ([item]) => item), { alert: { message: 'over the socket' } });
  });

  await t.test('a completed subscription says nothing more', async (t) => {
    const raw = await openSocket(t, server);
    const own = (wanted) => raw.messages.items.filter(({ id, type }) => id === wanted && type === 'next').length;
    raw.send({ id: 'kept', type: 'subscribe', payload: listen });
    raw.send({ id: 'dropped', type: 'subscribe', payload: listen });
    await until('both to begin', async () => (await server.createAlert(), own('kept') > 0 && own('dropped') > 0));
    raw.send({ id: 'dropped', type: 'complete' });
    raw.send({ type: 'ping' }); // behind it: once this is answered, the server has read the above
    await raw.messages.see('pong', (items) => items.some(({ type }) => type === 'pong'));
    // Events that were under way then may still come, so the first one that does not come decides.
    await until('an event for the kept one alone', async () => {
      const before = [own('kept'), own('dropped')];
      await server.createAlert();
      await raw.messages.see('the event', () => own('kept') > before[0]);
      const quiet = own('dropped') === before[1];
      raw.send({ type: 'ping' });
      const pongs = raw.messages.items.filter(({ type }) => type === 'pong').length;
      await raw.messages.see('pong', (items) => items.filter(({ type }) => type === 'pong').length > pongs);
      return quiet && own('dropped') === before[1];
    });
  });
});

test('a server that stops closes with 1012, and graphql-ws comes back to the next one', async (t) => {
  const server = await Server.start(t);
  const raw = await openSocket(t, server);
  raw.send({ id: '1', type: 'subscribe', payload: listen });

  const closes = [];
  let connections = 0;
  const client = connect(t, server, {
    retryAttempts: Infinity, // all else as it comes
    on: { closed: ({ code }) => closes.push(code), connected: () => connections++ },
  });
  const stream = subscribe(client, 'subscription Created { alertCreated { message } }');
  await stream.live(() => server.createAlert({ message: 'before' }));

  await server.stop();
  assert.equal((await raw.closed()).code, 1012);
  await until('the client to see it closed', () => closes.length > 0);
  assert.equal(closes[0], 1012);
  assert.ok(!raw.messages.items.some(({ type }) => type === 'complete'), 'the subscription was told that it is complete');
  await server.start();
  await until(() => `the client to come back; it was closed with ${closes}`, () => connections > 1);
  const seen = stream.items.length;
  await until('an event', async () => (await server.createAlert({ message: 'after' }), stream.items.length > seen));
  assert.equal(stream.ended, null);
  assert.equal(stream.items.at(-1).alertCreated.message, 'after');
});

test('a server that stops closes sockets that were still silent with 1012, too', async (t) => {
  const server = await Server.start(t);
  const silent = await openSocket(t, server, { init: false });
  await server.stop();
  assert.equal((await silent.closed()).code, 1012);
});
