// The other ways to subscribe: the older WebSocket subprotocol, and server-sent events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import { bearer, openSocket } from './clients.mjs';
import { Server } from './server.mjs';
import { Stream, patience, until } from './wait.mjs';

test('the older graphql-ws subprotocol', async (t) => {
  const server = await Server.start(t);

  await t.test('its own client subscribes', async (t) => {
    // Or else it gives up a connection that is not made within a second.
    const client = new SubscriptionClient(server.socketURL, { connectionParams: bearer, minTimeout: patience, timeout: patience }, WebSocket, 'graphql-ws');
    t.after(() => client.close());
    const stream = new Stream('the older client');
    const subscription = client
      .request({
        query: 'subscription Created($filter: AlertFilter) { alertCreated(filter: $filter) { id message } }',
        variables: { filter: { types: ['older'] } },
      })
      .subscribe({
        next: ({ data, errors }) => (errors ? stream.end(new Error(JSON.stringify(errors))) : stream.push(data)),
        error: (error) => stream.end(error),
        complete: () => stream.end(),
      });
    await stream.live(() => server.createAlert({ type: 'older', message: 'probe' }));
    await server.createAlert({ type: 'other' });
    const id = await server.createAlert({ type: 'older', message: 'the one' });
    await stream.see('the alert', (items) => items.some(({ alertCreated }) => alertCreated.id === id));
    assert.ok(stream.items.every(({ alertCreated }) => ['probe', 'the one'].includes(alertCreated.message)));
    subscription.unsubscribe();
  });

  await t.test('queries, and completion', async (t) => {
    const raw = await openSocket(t, server, { protocol: 'graphql-ws' });
    raw.send({ id: '1', type: 'start', payload: { query: '{ viewer { role } }' } });
    await raw.messages.see('completion', (items) => items.some(({ id, type }) => id === '1' && type === 'complete'));
    const data = raw.messages.items.filter(({ type }) => type === 'data');
    assert.deepEqual(data.map(({ payload }) => payload.data), [{ viewer: { role: 'ADMIN' } }]);
  });

  await t.test('a wrong token is turned away', async (t) => {
    const raw = await openSocket(t, server, { protocol: 'graphql-ws', init: false });
    raw.send({ type: 'connection_init', payload: { Authorization: 'Bearer wrong' } });
    assert.equal((await raw.closed()).code, 4403);
    assert.ok(!raw.messages.items.some(({ type }) => type === 'connection_ack'));
  });
});

// An operation by POST with Accept: text/event-stream; a stream of {event, data}.
async function openEvents(t, server, body, headers = bearer) {
  const abort = new AbortController();
  t.after(() => abort.abort());
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers },
    body: JSON.stringify(body),
    signal: abort.signal,
  });
  const stream = new Stream('the event stream');
  stream.response = response;
  stream.abort = () => abort.abort();
  stream.read = (async () => {
    let text = '';
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      text += piece.replaceAll('\r', '');
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const fields = text.slice(0, end).split('\n').filter((line) => !line.startsWith(':'));
        const field = (name) => fields.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim()).join('\n');
        if (fields.length) stream.push({ event: field('event'), data: field('data') && JSON.parse(field('data')) });
      }
    }
    stream.end();
  })().catch((error) => stream.end(error));
  return stream;
}

test('server-sent events', async (t) => {
  const server = await Server.start(t);

  await t.test('a subscription', async (t) => {
    const stream = await openEvents(t, server, {
      query: 'subscription Created($filter: AlertFilter) { alertCreated(filter: $filter) { id message } }',
      variables: { filter: { types: ['sse'] } },
    });
    assert.equal(stream.response.status, 200);
    assert.match(stream.response.headers.get('content-type'), /^text\/event-stream/);
    const nexts = () => stream.items.filter(({ event }) => event === 'next').map(({ data }) => data.data.alertCreated);
    await until('the stream to begin', async () => (await server.createAlert({ type: 'sse' }), nexts().length > 0));
    const id = await server.createAlert({ type: 'sse', message: 'two\nlines' });
    await stream.see('the alert', () => nexts().some((alert) => alert.id === id && alert.message === 'two\nlines'));
  });

  await t.test('feed goes on behind a cursor', async (t) => {
    const feed = (after) =>
      openEvents(t, server, {
        query: 'subscription ($after: String) { feed(after: $after, filter: { kinds: [ALERT_CREATED] }) { cursor alert { id } } }',
        variables: { after },
      });
    const events = (stream) => stream.items.filter(({ event }) => event === 'next').map(({ data }) => data.data.feed);
    const first = await feed(null);
    await until('the stream to begin', async () => (await server.createAlert(), events(first).length > 0));
    const { cursor } = events(first).at(-1);
    first.abort();
    await first.read;
    const missed = [];
    for (let number = 0; number < 5; number++) missed.push(await server.createAlert());
    const second = await feed(cursor);
    await second.see('what was missed', () => events(second).some(({ alert }) => alert.id === missed.at(-1)));
    const ids = events(second).map(({ alert }) => alert.id);
    assert.deepEqual(ids.filter((id) => missed.includes(id)), missed);
    assert.equal(new Set(ids).size, ids.length);
  });

  await t.test('a query is answered and complete', async (t) => {
    const stream = await openEvents(t, server, { query: '{ viewer { role } }' });
    await stream.read;
    assert.equal(stream.ended.error, null);
    assert.deepEqual(stream.items.map(({ event }) => event), ['next', 'complete']);
    assert.deepEqual(stream.items[0].data, { data: { viewer: { role: 'ADMIN' } } });
  });

  await t.test('no token: 401', async () => {
    const answer = await server.post(
      { query: 'subscription { alertCreated { id } }' },
      { Accept: 'text/event-stream', Authorization: '' },
    );
    assert.equal(answer.status, 401);
    assert.equal(answer.body.errors[0].extensions.code, 'UNAUTHENTICATED');
  });

  await t.test('the server stops although streams are open', async (t) => {
    const stream = await openEvents(t, server, { query: 'subscription { alertCreated { id } }' });
    await server.stop();
    await stream.read;
    await server.start();
  });
});
