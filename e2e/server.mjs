// The real server, in a directory of its own.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binary } from './binary.mjs';
import { freePort } from './ports.mjs';
import { until, within } from './wait.mjs';

export const token = 'e2e-admin-token-4f1d2c3b5a69788796a5b4c3d2e1f0';

export class Server {
  log = '';
  #dir = mkdtempSync(join(tmpdir(), 'alerts-e2e-'));
  #process;
  #exited;

  // Starts a server that is stopped and cleaned away when the test `t` is over.
  static async start(t, env = {}) {
    const server = new Server();
    server.env = env;
    server.port = await freePort();
    t.after(() => server.remove());
    await server.start();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get database() {
    return join(this.#dir, 'data', 'alerts.db');
  }

  get socketURL() {
    return `ws://127.0.0.1:${this.port}/graphql`;
  }

  #surroundings() {
    return {
      cwd: this.#dir,
      env: {
        PATH: process.env.PATH,
        HOME: this.#dir,
        DATA_DIR: join(this.#dir, 'data'),
        LISTEN_ADDR: `127.0.0.1:${this.port}`,
        ADMIN_TOKEN: token,
        EGRESS_ALLOW: '127.0.0.0/8',
        DELIVERY_TIMEOUT: '2m', // what is told here is told once, also where a receiver stands still for a while
        EMAIL_TIMEOUT: '120',
        ...this.env,
      },
    };
  }

  // Another command of the binary, on the same data; its standard output.
  async command(...words) {
    const { stdout } = await promisify(execFile)(binary(), words, this.#surroundings());
    return stdout;
  }

  // Also starts it again, after stop or kill: same port, same data.
  async start() {
    this.#process = spawn(binary(), ['serve'], { ...this.#surroundings(), stdio: ['ignore', 'pipe', 'pipe'] });
    const started = this.#process;
    this.#exited = once(started, 'close').then(([code, signal]) => ({ code, signal }));
    for (const output of [started.stdout, started.stderr]) {
      output.setEncoding('utf8').on('data', (text) => (this.log += text));
    }
    const kill = () => started.kill('SIGKILL');
    process.once('exit', kill);
    this.#exited.then(() => process.off('exit', kill));
    await this.ready();
  }

  ready() {
    return until(() => `the server to be ready\n${this.log}`, async () => {
      if (this.#process.exitCode !== null) throw new Error(`the server did not start:\n${this.log}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      await answer?.arrayBuffer();
      return answer?.ok;
    });
  }

  get running() {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  // As an operator stops it: it must end by itself, in good order and without having told a secret.
  async stop() {
    this.#process.kill('SIGTERM');
    const { code, signal } = await within(() => `the server to stop\n${this.log}`, this.#exited);
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}:\n${this.log}`);
    this.checkLog();
  }

  // As a power cut stops it.
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  checkLog() {
    for (const word of [token, 'DATA RACE', 'panic:', 'goroutine ']) {
      if (this.log.includes(word)) throw new Error(`the log has ${JSON.stringify(word)}:\n${this.log}`);
    }
  }

  async remove() {
    try {
      if (this.running) await this.stop();
    } finally {
      if (this.running) await this.kill();
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  // One GraphQL request as most clients send it: {status, headers, body}.
  async post(body, headers = {}) {
    const answer = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    try {
      return { status: answer.status, headers: answer.headers, body: JSON.parse(text) };
    } catch {
      throw new Error(`status ${answer.status}, and no JSON: ${text}`);
    }
  }

  // The data of an operation that must succeed.
  async do(query, variables) {
    const { status, body } = await this.post({ query, variables });
    if (status !== 200 || body.errors) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
    return body.data;
  }

  async createAlert(input) {
    const data = await this.do('mutation ($input: CreateAlertInput!) { createAlert(input: $input) { id } }', {
      input: { type: 'e2e', message: 'something happened', ...input },
    });
    return data.createAlert.id;
  }

  async createWebhook(name, url) {
    const data = await this.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', {
      input: { name, config: { webhook: { url } } },
    });
    return data.createChannel.id;
  }
}
