// A real Alertmanager with the configuration that docs/prometheus.md prints: firing creates, resolved resolves, and what fires
// while the server is away comes in when it is back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from './ports.mjs';
import { Server } from './server.mjs';
import { patience, until } from './wait.mjs';

const program = process.env.ALERTMANAGER || 'prometheus-alertmanager';

// The documented configuration, for this server and in a hurry.
function configuration(server, tokenFile) {
  const page = readFileSync(join(import.meta.dirname, '../docs/prometheus.md'), 'utf8');
  const config = page.match(/^```yaml\n(route:[^]*?)^```$/m)[1];
  const changed = config
    .replace('http://localhost:8080', server.url)
    .replace('/etc/prometheus/rustbucket-alerts.token', tokenFile)
    .replace('group_wait: 10s', 'group_wait: 100ms')
    .replace('group_interval: 30s', 'group_interval: 500ms');
  assert.equal(changed.match(/127\.0\.0\.1|alerts-am-|100ms|500ms/g)?.length, 4, changed);
  return changed;
}

async function startAlertmanager(t, server) {
  const dir = mkdtempSync(join(tmpdir(), 'alerts-am-'));
  let started;
  t.after(async () => {
    if (started?.kill('SIGKILL')) await once(started, 'close');
    rmSync(dir, { recursive: true, force: true });
  });
  const secret = await server.command('token', 'create', '--name', 'alertmanager', '--role', 'REPORTER');
  writeFileSync(join(dir, 'token'), secret, { mode: 0o600 });
  writeFileSync(join(dir, 'alertmanager.yml'), configuration(server, join(dir, 'token')));
  const port = await freePort();
  let log = '';
  started = spawn(program, [
    `--config.file=${dir}/alertmanager.yml`, `--storage.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=',
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  const failed = once(started, 'error').then(([error]) => {
    throw new Error(`${program} cannot be run: install Debian's prometheus-alertmanager, or name it in ALERTMANAGER`, { cause: error });
  });
  failed.catch(() => {});
  for (const output of [started.stdout, started.stderr]) output.setEncoding('utf8').on('data', (text) => (log += text));
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([failed, until(() => `Alertmanager to be ready\n${log}`, async () => {
    if (started.exitCode !== null) throw new Error(`Alertmanager ended:\n${log}`);
    return (await fetch(`${url}/-/ready`).catch(() => null))?.ok;
  })]);
  return {
    // What Prometheus sends: alerts by their labels and annotations, over when endsAt has passed.
    async send(...alerts) {
      const answer = await fetch(`${url}/api/v2/alerts`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(alerts),
      });
      assert.equal(answer.status, 200, await answer.text());
    },
  };
}

test('Alertmanager', async (t) => {
  const server = await Server.start(t);
  const alertmanager = await startAlertmanager(t, server);
  const alerts = async () => (await server.do('{ alerts { nodes { type severity message isResolved rustbucket { id } details } } }')).alerts.nodes;
  const find = async (type) => (await alerts()).find((a) => a.type === type);
  const cpu = { labels: { alertname: 'HighCPU', severity: 'critical', rustbucket_id: 'BKT123456' }, annotations: { summary: 'CPU above 90 %' } };
  const disk = { labels: { alertname: 'DiskFull' }, annotations: { description: 'no space left' } };
  const over = (alert) => ({ ...alert, endsAt: new Date(Date.now() - 1).toISOString() });

  await t.test('what fires is created', async () => {
    await alertmanager.send(cpu, disk);
    const first = await until('both alerts', async () => (await find('HighCPU')) && (await find('DiskFull')) && find('HighCPU'));
    assert.equal(first.severity, 'HIGH');
    assert.equal(first.message, 'CPU above 90 %');
    assert.equal(first.rustbucket.id, 'BKT123456');
    assert.equal(first.details.labels.alertname, 'HighCPU');
    assert.equal((await find('DiskFull')).severity, 'MEDIUM');
  });

  await t.test('what is resolved is resolved', async () => {
    await alertmanager.send(over(cpu));
    await until('the end', async () => (await find('HighCPU')).isResolved);
    assert.equal((await find('DiskFull')).isResolved, false);
  });

  await t.test('nothing is lost while the server is away', async () => {
    await server.kill();
    await alertmanager.send(over(disk), { labels: { alertname: 'Later' } });
    await server.start();
    await until('what happened meanwhile', async () => (await find('Later')) && (await find('DiskFull')).isResolved, 3 * patience); // in Alertmanager's own time
    assert.equal((await alerts()).length, 3);
  });
});
