// What stands between a browser and the server: proxies of their own, on loopback.
import { once } from 'node:events';
import { createServer as createHTTPServer, request } from 'node:http';
import { connect, createServer } from 'node:net';

async function listen(t, listener, sockets) {
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return `http://127.0.0.1:${listener.address().port}`;
}

// A cable that can be pulled, and put into another server.
export class Cable {
  #sockets = new Set();
  #cut = false;

  static async start(t, server) {
    const cable = new Cable();
    cable.server = server;
    const listener = createServer((socket) => {
      if (cable.#cut) {
        socket.destroy();
        return;
      }
      const on = connect(cable.server.port, '127.0.0.1');
      on.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => on.destroy());
      socket.pipe(on).pipe(socket);
    });
    cable.url = await listen(t, listener, cable.#sockets);
    return cable;
  }

  cut() {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#cut = false;
  }
}

// A proxy that serves all of the server below a prefix, which it takes off.
export async function startPrefixProxy(t, server, prefix) {
  const stripped = (url) => (url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : null);
  const proxy = createHTTPServer((asked, answer) => {
    const path = stripped(asked.url);
    if (path === null) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = asked;
    const on = request({ host: '127.0.0.1', port: server.port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    on.on('error', () => answer.destroy());
    asked.pipe(on);
  });
  proxy.keepAliveTimeout = 0; // no connection is closed in which a request may be on its way
  proxy.on('upgrade', (asked, socket) => {
    const on = connect(server.port, '127.0.0.1', () => {
      const lines = [`GET ${stripped(asked.url)} HTTP/1.1`];
      for (let i = 0; i < asked.rawHeaders.length; i += 2) lines.push(`${asked.rawHeaders[i]}: ${asked.rawHeaders[i + 1]}`);
      on.write(`${lines.join('\r\n')}\r\n\r\n`);
      socket.pipe(on).pipe(socket);
    });
    on.on('error', () => socket.destroy());
    socket.on('error', () => on.destroy());
  });
  return listen(t, proxy, new Set());
}
