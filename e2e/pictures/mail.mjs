// Pictures of a mail as the server sends it, in light, in dark and on a phone: `node e2e/pictures/mail.mjs [FOLDER]`.
import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { Mailbox } from '../mailbox.mjs';
import { Server } from '../server.mjs';

const maxBytes = 100_000;

const alert = {
  type: 'disk_full',
  severity: 'HIGH',
  message: '/var/lib/postgresql has 412 MB left of 200 GB.\nWrites stop at 0.',
  rustbucket: { id: 'BKT123456', name: 'Production Node 1' },
  details: { host: 'node1.example.com', used_percent: 99.8, growth: { last_hour: '3.1 GB', until_full: '8 min' } },
};

// Gives the mails about an alert of each severity, as they arrive, and about the resolve of the last one. Also the test of the mail's
// look works on them.
export async function realMails(t, ...severities) {
  const mailbox = await Mailbox.start(t);
  const server = await Server.start(t, { ...mailbox.env, PUBLIC_URL: 'https://alerts.example.com' });
  await server.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', {
    input: { name: 'On call', notifyOnResolve: true, config: { email: { recipients: ['oncall@example.com'] } } },
  });
  const arrived = (count) => mailbox.mails.see(`mail ${count}`, (mails) => mails.length === count && mails);
  let id;
  for (const [i, severity] of severities.entries()) {
    id = await server.createAlert({ ...alert, severity });
    await arrived(i + 1);
  }
  await server.do('mutation ($id: ID!) { resolveAlert(id: $id) { id } }', { id });
  return arrived(severities.length + 1);
}

export default async function pictures({ browser, out = resolve(import.meta.dirname, '../../docs/images') }) {
  const endings = [];
  try {
    const [{ html }] = await realMails({ after: (ending) => endings.push(ending) }, 'HIGH');
    mkdirSync(out, { recursive: true });
    await shoot(browser, join(out, 'mail.png'), html, { colorScheme: 'light', viewport: { width: 680, height: 200 } });
    await shoot(browser, join(out, 'mail-dark.png'), html, { colorScheme: 'dark', viewport: { width: 680, height: 200 } });
    await shoot(browser, join(out, 'mail-phone.png'), html, { colorScheme: 'light', viewport: { width: 375, height: 200 } });
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

async function shoot(browser, path, html, options) {
  const context = await browser.newContext({ ...options, deviceScaleFactor: 1.5, offline: true });
  try {
    const page = await context.newPage();
    await page.setContent(html);
    await page.screenshot({ path, fullPage: true });
  } finally {
    await context.close();
  }
  const { size } = statSync(path);
  if (size > maxBytes) throw new Error(`${path} has ${size} bytes; at most ${maxBytes} are wanted`);
  console.log(`${path}, ${size} bytes`);
}

if (process.argv[1] === import.meta.filename) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  try {
    await pictures({ browser, out: process.argv[2] && resolve(process.argv[2]) });
  } finally {
    await browser.close();
  }
}
