// Tokens that are made on the command line while the server runs, and what becomes of their open sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSocket } from './clients.mjs';
import { Server } from './server.mjs';
import { until } from './wait.mjs';

const listen = { id: '1', type: 'subscribe', payload: { query: 'subscription { alertCreated { id } }' } };

test('tokens', async (t) => {
  const server = await Server.start(t);
  const create = async (name, role, ...more) => {
    const secret = (await server.command('token', 'create', '--name', name, '--role', role, ...more)).trim();
    assert.match(secret, /^\S+$/, 'the token does not stand alone on stdout');
    return { Authorization: `Bearer ${secret}` };
  };
  const code = async (query, headers) => (await server.post({ query }, headers)).body.errors?.[0].extensions.code;
  const createAlert = 'mutation { createAlert(input: { type: "e2e", message: "by role" }) { id } }';

  await t.test('a VIEWER reads and subscribes, and does nothing else', async (t) => {
    const viewer = await create('viewer', 'VIEWER');
    assert.equal(await code('{ alerts { totalCount } channels { id } viewer { name } }', viewer), undefined);
    assert.equal(await code(createAlert, viewer), 'FORBIDDEN');
    assert.equal(await code('mutation { setChannelsActive(active: false) { id } }', viewer), 'FORBIDDEN');
    const raw = await openSocket(t, server, { headers: viewer });
    raw.send(listen);
    await until('an event', async () => (await server.createAlert(), raw.messages.items.some(({ type }) => type === 'next')));
  });

  await t.test('a REPORTER creates, and sees its own alone', async (t) => {
    const reporter = await create('reporter', 'REPORTER');
    const { body } = await server.post({ query: createAlert }, reporter);
    const own = body.data.createAlert.id;
    const foreign = await server.createAlert();
    assert.equal(await code(`{ alert(id: "${own}") { message } }`, reporter), undefined);
    assert.equal(await code(`{ alert(id: "${foreign}") { message } }`, reporter), 'NOT_FOUND');
    assert.equal(await code(`{ alert(id: "${own}") { deliveries { id } } }`, reporter), 'FORBIDDEN');
    assert.equal(await code('{ channels { id } }', reporter), 'FORBIDDEN');
    const raw = await openSocket(t, server, { headers: reporter });
    raw.send(listen);
    const refusal = await raw.messages.see('a refusal', (items) => items.find(({ id }) => id === '1'));
    assert.ok(JSON.stringify(refusal.payload).includes('FORBIDDEN'), JSON.stringify(refusal));
  });

  await t.test('a revoked token: its sockets close by themselves with 4401, and it opens nothing more', async (t) => {
    const viewer = await create('short', 'VIEWER');
    const raw = await openSocket(t, server, { headers: viewer });
    raw.send(listen);
    const idle = await openSocket(t, server, { headers: viewer });
    const other = await openSocket(t, server);
    await server.command('token', 'revoke', 'short');
    assert.equal((await raw.closed()).code, 4401);
    assert.equal((await idle.closed()).code, 4401);
    await until('the token to be refused', async () => (await code('{ viewer { name } }', viewer)) === 'UNAUTHENTICATED');
    const again = await openSocket(t, server, { init: false });
    again.send({ type: 'connection_init', payload: viewer });
    assert.equal((await again.closed()).code, 4403);
    other.send({ type: 'ping' });
    await other.messages.see('pong: the other token still holds', (items) => items.some(({ type }) => type === 'pong'));
  });

  await t.test('a token that expires: its sockets close with 4401', async (t) => {
    // It is to be used before it is over, however long this machine takes for that.
    let viewer, raw;
    for (let life = 3; !raw; life *= 3) {
      viewer = await create(`brief ${life}`, 'VIEWER', '--expires', `${life}s`);
      const opened = await openSocket(t, server, { headers: viewer, init: false });
      opened.send({ type: 'connection_init', payload: viewer });
      const greeted = await opened.messages.see('connection_ack', (items) => items.length > 0).catch(() => false);
      if (greeted) raw = opened;
      else assert.equal((await opened.closed()).code, 4403);
      assert.ok(raw || life < 300, 'no token was good for as long as it should be');
    }
    raw.send(listen);
    assert.equal((await raw.closed()).code, 4401);
    assert.equal(await code('{ viewer { name } }', viewer), 'UNAUTHENTICATED');
  });
});
