// Ports for what a test starts and cannot ask for its port: below those that systems give to whoever names none, so that nobody gets one
// by chance while it is not listened on, as between the stop and the start of a server.
import { once } from 'node:events';
import { createServer } from 'node:net';

const [first, end] = [11_000, 16_000]; // browsers go to all of these
const perProcess = 50;

async function listen(port) {
  const listener = createServer().listen(port, '127.0.0.1');
  try {
    await once(listener, 'listening');
    return listener;
  } catch {
    return null; // somebody is there
  }
}

// Tests of several files run at a time: as long as a process listens on the first port of some, they are all its own.
async function claim() {
  for (let port = first; port < end; port += perProcess) {
    const listener = await listen(port);
    if (listener) {
      listener.unref();
      return port;
    }
  }
  throw new Error(`all ports from ${first} to ${end} are in use`);
}

let claimed;
let given = 0;

// Gives each port once.
export async function freePort() {
  claimed ??= claim();
  for (const mine = await claimed; given < perProcess - 1; ) {
    const port = mine + ++given;
    const listener = await listen(port);
    if (!listener) continue;
    listener.close();
    await once(listener, 'close');
    return port;
  }
  throw new Error(`a file of tests has used ${perProcess} ports`);
}
