import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Server, token } from './server.mjs';
import { until, within } from './wait.mjs';

// A client that does not keep to any library's manners.
async function connect(server) {
  const socket = new WebSocket(server.socketURL, 'graphql-transport-ws');
  const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
  await within('the socket to open', new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)));
  const say = (message) => socket.send(JSON.stringify(message));
  const acked = new Promise((resolve) => socket.on('message', (data) => JSON.parse(data).type === 'connection_ack' && resolve()));
  say({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
  await within('connection_ack', acked);
  return { socket, say, closed };
}

test('one socket cannot take everything', async (t) => {
  const server = await Server.start(t);

  await t.test('100 operations at a time, not 101', async () => {
    const { socket, say, closed } = await connect(server);
    const subscribe = (id) => say({ id: String(id), type: 'subscribe', payload: { query: 'subscription { alertCreated { id } }' } });
    for (let i = 0; i < 100; i++) subscribe(i);
    say({ id: '0', type: 'complete' });
    subscribe('again'); // in the place that became free
    const told = new Set();
    socket.on('message', (data) => {
      const { type, id } = JSON.parse(data);
      if (type === 'next') told.add(id);
    });
    const expected = [...Array.from({ length: 99 }, (_, i) => String(i + 1)), 'again'];
    const deaf = () => expected.filter((id) => !told.has(id));
    // Nothing says when a subscription has begun: alerts are created, one when most have heard of the one before, until all have.
    const allHear = () => until(() => `${deaf()} to hear of an alert`, async () => {
      await server.createAlert({ message: 'to all of them' });
      await until('most of them to hear of it', () => deaf().length === 0, 500).catch(() => {});
      return deaf().length === 0;
    });
    await allHear();
    // What 0 was told before the server read that it is over may still be on its way.
    await until('an alert of which all of them hear, and 0 does not', async () => {
      told.clear();
      await allHear();
      return !told.has('0');
    });
    subscribe('one too many');
    assert.deepEqual(await within('the socket to close', closed), { code: 1008, reason: 'Too many operations at a time' });
  });

  await t.test('a flood of messages ends it, an ordinary pace does not', async () => {
    const { socket, say, closed } = await connect(server);
    let pongs = 0;
    let open = true;
    socket.on('message', (data) => (pongs += JSON.parse(data).type === 'pong'));
    socket.on('close', () => (open = false));
    // In one piece: nothing of it is still to be sent when the server has closed.
    const ping = async (count) => {
      const goal = pongs + count;
      socket._socket.cork();
      for (let i = 0; i < count; i++) say({ type: 'ping' });
      socket._socket.uncork();
      await until(() => `${goal} pongs, or the end; there were ${pongs}`, () => pongs === goal || !open);
    };
    await ping(500);
    assert.ok(open, 'an ordinary pace has ended it');
    assert.deepEqual((await server.post({ query: '{ viewer { name } }' })).status, 200);
    // A server that is slower than the pace that it allows is not flooded by the first of these.
    await until('a flood', async () => (await ping(2000), !open));
    assert.deepEqual(await closed, { code: 1008, reason: 'Too many messages' });
  });
});
