// Pictures of the console at work, on a server with alerts of a usual day.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Receiver } from '../receiver.mjs';
import { Server, token } from '../server.mjs';
import { until } from '../wait.mjs';
import { signIn } from '../browser.mjs';

const images = join(import.meta.dirname, '../../docs/images');
const maxBytes = 180_000;

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

export default async function pictures(t, browser) {
  const { server, id } = await prepare(t);
  const shoot = async (name, path, ready, options) => {
    const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
    try {
      const page = await context.newPage();
      await page.goto(`${server.url}${path}`);
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
  await shoot('console-phone', '/alerts', list, { ...phone, colorScheme: 'light' });
  await shoot('console-phone-dark', `/alerts/${id}`, alert, { ...phone, colorScheme: 'dark' });
}
