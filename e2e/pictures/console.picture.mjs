// Pictures of the console at work, on a server with alerts of a usual day. They need sqlite3 (apt-get install sqlite3).
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Receiver } from '../receiver.mjs';
import { Server, token } from '../server.mjs';
import { until } from '../wait.mjs';
import { signIn } from '../hands.mjs';

const images = join(import.meta.dirname, '../../docs/images');
const maxBytes = 250_000;

const day = [
  ['certificate', 'LOW', 'The certificate of alerts.example.com ends in 12 days', null],
  ['login_failed', 'LOW', '14 failed logins as root within a minute from 203.0.113.9', 'BKT100002'],
  ['backup_late', 'MEDIUM', 'The nightly backup has not finished after 6 hours', 'BKT123456'],
  ['high_cpu', 'MEDIUM', 'Load of 14.2 on 8 cores for 10 minutes', 'BKT100003'],
  ['honeypot_malware', 'HIGH', 'A binary was uploaded to the SSH honeypot and put in quarantine', 'BKT100002'],
  ['error', 'HIGH', 'Rustbucket node1 is not responding', 'BKT123456'],
  ['high_cpu', 'MEDIUM', 'Load of 11.8 on 8 cores for 10 minutes', 'BKT100004'],
  ['login_failed', 'LOW', '9 failed logins as admin within a minute from 198.51.100.4', 'BKT100004'],
  ['queue_long', 'MEDIUM', '4,200 jobs wait', null],
  ['disk_full', 'HIGH', '/var/lib/postgresql has 412 MB left of 200 GB. Writes stop at 0.', 'BKT123456'],
  ['update', 'LOW', '18 packages can be updated, 2 of them for security', 'BKT100003'],
];
const names = { BKT123456: 'Production Node 1', BKT100002: 'Honeypot East', BKT100003: 'Build Node 2', BKT100004: 'Build Node 3' };

async function prepare(t) {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = ({ path, alert }) =>
    path.endsWith('tickets') && alert.alert_type === 'disk_full' ? { status: 503, headers: {}, body: 'the database is being moved, try later' } : 200;
  const channel = (input) => server.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', { input });
  const webhook = (name, more) => channel({ name, config: { webhook: { url: `${receiver.url}/${name.toLowerCase()}` } }, ...more });
  await webhook('On-call', { notifyOnResolve: true });
  await webhook('Tickets', { minSeverity: 'HIGH' });
  await webhook('Security', { alertTypes: ['honeypot_malware', 'login_failed'] });
  const ids = {};
  for (const [type, severity, message, rustbucket] of day) {
    const input = { type, severity, message, rustbucket: rustbucket && { id: rustbucket, name: names[rustbucket] } };
    if (type === 'disk_full') input.details = { mount: '/var/lib/postgresql', used_percent: 99.8 };
    if (type === 'queue_long') input.dedupKey = 'queue';
    ids[type] = await server.createAlert(input);
    if (type === 'queue_long') for (let i = 0; i < 3; i++) await server.createAlert(input);
  }
  await server.do(
    `mutation ($disk: ID!, $malware: ID!, $backup: ID!) {
      acknowledgeAlert(id: $disk, note: "Old logs are being moved away.") { id }
      assignAlert(id: $disk, assignee: "Storage team") { id }
      acknowledge: acknowledgeAlert(id: $malware) { id }
      assign: assignAlert(id: $backup, assignee: "Storage team") { id }
    }`,
    { disk: ids.disk_full, malware: ids.honeypot_malware, backup: ids.backup_late },
  );
  await until('the deliveries to be tried', async () => {
    const { alert } = await server.do('query ($id: ID!) { alert(id: $id) { deliveries { attempts } } }', { id: ids.disk_full });
    return alert.deliveries.every(({ attempts }) => attempts > 0);
  });
  return { server, id: ids.disk_full };
}

// A day of 300 alerts and what became of them. They come in and are told now; then they are moved to when they would have come.
async function busyDay(t) {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = async ({ path, alert }) => {
    await new Promise((done) => setTimeout(done, 30 + ((alert.alert_id * 53) % 170)));
    return path.endsWith('tickets') && alert.alert_id % 41 === 0 ? { status: 400, headers: {}, body: 'the project is archived' } : 200;
  };
  for (const [name, more] of [['On-call', {}], ['Tickets', { minSeverity: 'MEDIUM' }], ['Security', { alertTypes: ['honeypot_malware', 'login_failed'] }]]) {
    const input = { name, config: { webhook: { url: `${receiver.url}/${name.toLowerCase()}` } }, ...more };
    await server.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', { input });
  }
  const inputs = Array.from({ length: 300 }, (_, n) => {
    const [type, severity, message, rustbucket] = day[(n * n + (n % 3)) % day.length];
    return { type, severity, message, rustbucket: rustbucket && { id: rustbucket, name: names[rustbucket] } };
  });
  const { createAlerts } = await server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs });
  await until('all to be told', async () => (await server.do('{ deliveries(first: 0, filter: { statuses: [PENDING] }) { totalCount } }')).deliveries.totalCount === 0);
  const ids = createAlerts.map(({ id }) => id).filter((_, n) => n < 290 && n % 29 !== 0);
  await server.do('mutation ($ids: [ID!]!) { resolveAlerts(which: { ids: $ids }) }', { ids });
  const { alerts } = await server.do('{ alerts(first: 200) { nodes { id } totalCount } }');
  await server.stop();
  const last = Number(alerts.nodes[0].id);
  const moved = Array.from({ length: last }, (_, n) => {
    const part = 1 - n / last; // of the day, back from now
    const seconds = Math.round((part + 0.055 * Math.sin(4 * Math.PI * part)) * 86_000);
    const back = (column) => `${column} = strftime('%Y-%m-%d %H:%M:%f', ${column}, '-${seconds} seconds') || '+00:00'`;
    return `UPDATE alerts SET ${back('created_at')} WHERE id = ${n + 1};
      UPDATE deliveries SET ${back('created_at')}, ${back('completed_at')} WHERE alert_id = ${n + 1};`;
  });
  execFileSync('sqlite3', [server.database], { input: `BEGIN;${moved.join('')}COMMIT;` });
  await server.start();
  return server;
}

export default async function pictures(t, browser) {
  const { server, id } = await prepare(t);
  const shoot = async (name, path, ready, options, { url } = server) => {
    const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
    try {
      const page = await context.newPage();
      await page.goto(`${url}${path}`);
      await signIn(page, token);
      await ready(page);
      await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
      const file = join(images, `${name}.png`);
      await page.screenshot({ path: file });
      const { size } = statSync(file);
      if (size > maxBytes) throw new Error(`${name}.png has ${size} bytes; at most ${maxBytes} are wanted`);
      console.log(`docs/images/${name}.png, ${size} bytes`);
    } finally {
      await context.close();
    }
  };
  const desk = { viewport: { width: 1280, height: 800 } };
  const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 1.5, hasTouch: true, isMobile: true };
  const list = (page) => page.locator('.alert-row').first().waitFor();
  const alert = (page) => page.locator('.timeline').waitFor();
  await shoot('console', `/alerts/${id}`, alert, { ...desk, colorScheme: 'light' });
  await shoot('console-dark', '/alerts', list, { ...desk, colorScheme: 'dark' });
  await shoot('console-channels', '/channels', (page) => page.getByText('Tickets').waitFor(), { viewport: { width: 1280, height: 420 }, colorScheme: 'light' });
  const busy = await busyDay(t);
  const charts = async (page) => {
    await page.locator('.overview canvas').nth(1).waitFor();
    await page.getByRole('row', { name: /On-call/ }).waitFor();
  };
  for (const colorScheme of ['light', 'dark']) await shoot(colorScheme === 'light' ? 'console-overview' : 'console-overview-dark', '/overview', charts, { ...desk, colorScheme }, busy);
  await shoot('console-phone', '/alerts', list, { ...phone, colorScheme: 'light' });
  await shoot('console-phone-dark', `/alerts/${id}`, alert, { ...phone, colorScheme: 'dark' });
}
