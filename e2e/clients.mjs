// The clients: the npm graphql-ws one, and a bare socket for what a well-behaved client does not do.
import { once } from 'node:events';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { token } from './server.mjs';
import { Stream, within } from './wait.mjs';

export const bearer = { Authorization: `Bearer ${token}` };

export function connect(t, server, options = {}) {
  const client = createClient({
    url: server.socketURL,
    webSocketImpl: WebSocket,
    connectionParams: bearer,
    retryAttempts: 0,
    ...options,
  });
  // A client that is just trying to come back to a server that is gone fails at being disposed of.
  t.after(() => Promise.resolve(client.dispose()).catch(() => {}));
  return client;
}

// Everything that a subscription says, as {field: value} objects.
export function subscribe(client, query, variables) {
  const stream = new Stream(query.trim().split(/[({]/)[0].trim() || 'the subscription');
  stream.close = client.subscribe(
    { query, variables },
    {
      next: ({ data, errors }) => (errors ? stream.end(new Error(JSON.stringify(errors))) : stream.push(data)),
      error: (error) => stream.end(error),
      complete: () => stream.end(),
    },
  );
  return stream;
}

export async function openSocket(t, server, { protocol = 'graphql-transport-ws', init = true, headers = bearer } = {}) {
  const socket = new WebSocket(server.socketURL, protocol);
  t.after(() => socket.terminate());
  const messages = new Stream('the socket');
  socket.on('message', (data) => messages.push(JSON.parse(data)));
  const closed = new Promise((resolve) => {
    socket.on('close', (code, reason) => {
      messages.end(new Error(`closed with ${code} ${reason}`));
      resolve({ code, reason: reason.toString() });
    });
  });
  await within('the socket to open', once(socket, 'open'));
  socket.on('error', () => {}); // what comes of it is told by how it closes
  const raw = {
    socket,
    messages,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    closed: () => within(() => `the server to close the socket; it said ${JSON.stringify(messages.items.slice(-5))}`, closed),
  };
  if (init) {
    raw.send({ type: 'connection_init', payload: headers });
    await messages.see('connection_ack', (items) => items.some(({ type }) => type === 'connection_ack'));
  }
  return raw;
}
