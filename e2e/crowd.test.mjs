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
    const allHear = () => until('all of them to hear of an alert', async () => {
      await server.do('mutation { createAlert(input: { type: "e2e", message: "to all of them" }) { id } }');
      return expected.every((id) => told.has(id));
    });
    const expected = [...Array.from({ length: 99 }, (_, i) => String(i + 1)), 'again'];
    // Nothing says when a subscription has begun: alerts are created until all have heard of one. The first of them may come
    // before the server has read that 0 is over.
    await allHear();
    told.clear();
    await allHear();
    assert.ok(!told.has('0'));
    subscribe('one too many');
    assert.deepEqual(await within('the socket to close', closed), { code: 1008, reason: 'Too many operations at a time' });
  });

  await t.test('a flood of messages ends it, an ordinary pace does not', async () => {
    const { say, closed } = await connect(server);
    for (let i = 0; i < 500; i++) say({ type: 'ping' });
    assert.deepEqual((await server.post({ query: '{ viewer { name } }' })).status, 200);
    for (let i = 0; i < 2000; i++) say({ type: 'ping' });
    assert.deepEqual(await within('the socket to close', closed), { code: 1008, reason: 'Too many messages' });
  });
});
