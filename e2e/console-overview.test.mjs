// The overview, silences, rustbuckets and exports of the console, as a person uses them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkAccess } from './axe.mjs';
import { openBrowser } from './browser.mjs';
import { Receiver } from './receiver.mjs';
import { Server, token } from './server.mjs';
import { pressBoth, signIn } from './hands.mjs';
import { until } from './wait.mjs';

async function open(t, server, path, { as = token, ...options } = {}) {
  const opened = await openBrowser(t, server, options);
  await opened.page.goto(`${server.url}${path}`);
  await signIn(opened.page, as);
  await opened.page.locator('.live-line', { hasText: 'Live' }).waitFor({ state: 'attached' });
  return opened;
}

const create = (server, inputs) =>
  server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs: inputs.map((input) => ({ type: 'e2e', message: 'something happened', ...input })) });
const node = (n) => ({ id: `BKT${n}`, name: `Node ${n}` });
const some = [
  ...Array.from({ length: 5 }, (_, n) => ({ type: 'disk_full', severity: 'HIGH', rustbucket: node(n % 2) })),
  ...Array.from({ length: 3 }, () => ({ type: 'high_cpu', severity: 'MEDIUM', rustbucket: node(2) })),
  ...Array.from({ length: 4 }, () => ({ type: 'login_failed', severity: 'LOW' })),
];
const settled = (server, n) =>
  until(`${n} deliveries to be over`, async () => (await server.do('{ deliveries(filter: { statuses: [DELIVERED, FAILED] }) { totalCount } }')).deliveries.totalCount >= n);

const tile = (page, name) => page.getByRole('list', { name: 'At a glance' }).getByRole('link', { name });
const figure = (page, name, text) => tile(page, name).filter({ hasText: text }).waitFor();
// The cells of a table's rows, newest first; the first is the row's name.
const cells = async (table) => (await table.locator('tbody tr').evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))));
const sums = (rows) => rows[0].slice(1).map((_, column) => rows.reduce((sum, row) => sum + Number(row[column + 1].replaceAll(',', '')), 0));
// How many points of a chart have this colour.
const painted = (panel, property) =>
  panel.locator('canvas').evaluate((canvas, property) => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
    context.fillRect(0, 0, 1, 1);
    const wanted = String(context.getImageData(0, 0, 1, 1).data);
    context.clearRect(0, 0, 1, 1);
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (String(data.slice(i, i + 4)) === wanted) count++;
    return count;
  }, property);

test('the overview shows what came in and what became of it, and its table says the same', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = ({ alert }) => (alert?.alert_type === 'refused' ? 400 : 200);
  const channel = await server.createWebhook('On call', receiver.url);
  await create(server, some);
  await settled(server, some.length);
  const { page, tried } = await open(t, server, '/alerts', { colorScheme: 'light' });
  await page.waitForLoadState('networkidle');
  assert.ok(!tried.addresses.some((address) => /chart-.*\.js/.test(address)), 'the charts are loaded before anybody wants them');

  await pressBoth(page, 'g', 'o', '**/overview');
  await figure(page, 'Open alerts', '12');
  await figure(page, 'Open alerts', '5 of them high');
  await figure(page, 'Alerts came in', '12');
  await figure(page, 'Delivered', '100 %');
  await figure(page, 'Waiting', 'nothing waits');

  // By keyboard: the newest bar is what the newest row of the table says, which a screen reader has beside it.
  const panel = page.getByRole('region', { name: 'Alerts over time' });
  const slider = panel.getByRole('slider');
  const table = panel.getByRole('table', { name: 'Alerts over time' });
  // The rows are read anew each time: meanwhile an hour may have begun.
  const says = async (index, ...keys) => {
    let rows, told, shown;
    await until(() => `row ${index} of ${JSON.stringify(rows)} to be told after ${keys}, and not ${told} and ${shown}`, async () => {
      for (const key of keys) await slider.press(key);
      rows = await cells(table);
      told = await slider.getAttribute('aria-valuetext');
      shown = await panel.locator('.chart-tooltip').innerText();
      const [name, , , , all] = rows[index];
      return told.startsWith(`${name}: ${all === '0' ? 'no' : all} alert`) && shown.includes(name);
    });
    return rows;
  };
  const rows = await says(0, 'End');
  assert.equal(rows.length, 24);
  assert.deepEqual(sums(rows), [4, 3, 5, 12]); // low, medium, high, all
  assert.equal(rows[23][4], '0');
  await says(1, 'End', 'ArrowLeft');
  await says(23, 'Home');

  // The same, for everybody to see.
  await panel.getByRole('button', { name: /^Show as table/ }).click();
  await slider.waitFor({ state: 'detached' });
  assert.deepEqual(sums(await cells(table)), [4, 3, 5, 12]);
  await panel.getByRole('button', { name: /^Show as table/ }).click();

  // In the colours of the theme, whichever it is.
  await slider.waitFor();
  await until('red bars', async () => (await painted(panel, '--high')) > 20);
  await page.emulateMedia({ colorScheme: 'dark' });
  await until('red bars in the dark', async () => (await painted(panel, '--high')) > 20);
  await page.emulateMedia({ colorScheme: 'light' });

  // What happens now is there by itself.
  await server.createAlert({ type: 'refused', severity: 'HIGH', message: 'that nobody takes' });
  await figure(page, 'Delivered', '1 failed');
  const row = page.getByRole('region', { name: 'Channels', exact: true }).getByRole('row', { name: /On call/ });
  await row.getByRole('link', { name: '12', exact: true }).waitFor();
  assert.match(await row.getByRole('link', { name: '1', exact: true }).getAttribute('href'), new RegExp(`/deliveries\\?channel=${channel}&status=FAILED&from=`));
  assert.match(await row.innerText(), /92\.3 %/);
  const sent = page.getByRole('region', { name: 'Deliveries over time' }).getByRole('table');
  await until('the refused delivery in the table', async () => sums(await cells(sent)).join() === '12,1,13');

  // Each figure leads to the list behind it.
  const types = page.getByRole('region', { name: 'Most frequent types' });
  await types.getByRole('row', { name: /disk_full/ }).getByRole('link').last().click();
  await page.waitForURL('**/alerts?*type=disk_full*');
  await until('the five alerts', async () => (await page.locator('.alert-row').count()) === 5);
  await page.goBack();
  await page.getByRole('button', { name: '7 days' }).click();
  await page.waitForURL('**/overview?range=7d');
  await until('the hours of seven days', async () => (await cells(table)).length === 168);
  await page.getByRole('region', { name: 'Not resolved' }).getByRole('row', { name: /Medium/ }).getByRole('link').first().click();
  await page.waitForURL('**/alerts?state=open&severity=MEDIUM');

  const linked = new URL(await page.goto(`${server.url}/overview`).then(() => panel.getByRole('link', { name: 'Open in the playground' }).getAttribute('href')));
  const answer = await server.do(linked.searchParams.get('query'), JSON.parse(linked.searchParams.get('variables')));
  assert.equal(answer.alertStats.high, 6 + (answer.alertStats.total - 13)); // with what the server itself has to say of the failure
  assert.deepEqual(tried.foreign, []);
  assert.deepEqual(tried.complaints, []);
});

test('a silence that is made in the console keeps alerts from being told, until it is ended there', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  await server.createWebhook('On call', receiver.url);
  await create(server, some);
  const reasons = async (input) => {
    const id = await server.createAlert({ type: 'disk_full', severity: 'HIGH', ...input });
    const { alert } = await server.do('query ($id: ID!) { alert(id: $id) { routing { reason } } }', { id });
    return alert.routing.map(({ reason }) => reason);
  };
  const viewer = (await server.command('token', 'create', '--name', 'watching', '--role', 'VIEWER')).trim();
  const { page, tried } = await open(t, server, '/silences');
  await page.getByText('No silences').waitFor();
  await page.locator('body').press('n');
  const form = page.getByRole('dialog', { name: 'New silence' });
  await form.getByLabel('Reason').fill('Disks are being replaced');
  await form.getByRole('button', { name: 'Silence', exact: true }).click();
  await form.getByText('To be told of nothing at all, pause').waitFor();
  await form.getByLabel('Types', { exact: true }).fill('disk_full');
  await form.getByLabel('Types', { exact: true }).press('Enter');
  await form.getByText('Matches 5 alerts of the last 24 hours, and 5 that are not resolved yet.').waitFor();
  await form.getByLabel('Rustbuckets', { exact: true }).fill('Node 1');
  await form.getByRole('button', { name: 'BKT1 Node 1' }).click();
  await form.getByText('Matches 2 alerts of the last 24 hours').waitFor();
  await form.getByRole('button', { name: '1 hour' }).click();
  await form.getByRole('button', { name: 'Silence', exact: true }).click();
  await form.waitFor({ state: 'detached' });
  const entry = page.getByRole('region', { name: /^Active/ }).getByRole('listitem').filter({ hasText: 'Disks are being replaced' });
  await entry.getByText(/5\dm \d+s left|1h left/).waitFor();

  assert.deepEqual(await reasons({ rustbucket: node(1), message: 'silenced' }), ['SILENCED']);
  assert.deepEqual(await reasons({ rustbucket: node(0) }), ['MATCHED']);
  await server.do('mutation ($endsAt: Time!) { createSilence(input: { types: ["disk_full"], reason: "of everywhere", endsAt: $endsAt }) { id } }', { endsAt: new Date(Date.now() + 3_600_000) });
  assert.deepEqual(await reasons({ rustbucket: node(0), message: 'silenced by the other' }), ['SILENCED']);
  await server.do('mutation { endSilence(id: 2) { id } }');
  await entry.getByRole('link', { name: '1 alert silenced' }).click();
  await page.waitForURL('**/alerts?state=all&silence=1');
  await until('the one alert', async () => (await page.locator('.alert-row .message').allInnerTexts()).join() === 'silenced');

  await page.goBack();
  await entry.getByRole('button', { name: /^End/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
  await page.getByRole('region', { name: /^Over/ }).getByText('Disks are being replaced').waitFor();
  assert.deepEqual(await reasons({ rustbucket: node(1) }), ['MATCHED']);

  // As an alert links to it, filled in.
  await page.goto(`${server.url}/silences?types=high_cpu&severities=MEDIUM&rustbucket=BKT2`);
  await form.getByText('Matches 3 alerts of the last 24 hours').waitFor();
  assert.equal(await form.getByRole('button', { name: 'Medium' }).getAttribute('aria-pressed'), 'true');
  await page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).search, '');
  assert.deepEqual(tried.complaints, []);

  // Who may only look sees them, and is offered nothing.
  const other = await open(t, server, '/silences?types=high_cpu', { as: viewer });
  await other.page.getByText('Disks are being replaced').waitFor();
  assert.equal(await other.page.getByRole('button', { name: 'New silence' }).count(), 0);
  assert.equal(await other.page.getByRole('dialog').count(), 0);
});

test('a rustbucket is watched, goes offline and comes back', async (t) => {
  const server = await Server.start(t);
  await create(server, some);
  const { page, tried } = await open(t, server, '/rustbuckets');
  const row = page.getByRole('row', { name: /BKT1/ });
  await row.getByText('Not watched').waitFor();
  await row.getByRole('link', { name: '2', exact: true }).waitFor();
  await page.getByRole('searchbox').fill('node 1');
  await until('one row', async () => (await page.locator('tbody tr').count()) === 1);
  await row.getByRole('link', { name: 'Node 1' }).click();
  await page.waitForURL('**/rustbuckets/BKT1?q=node+1');
  const dialog = page.getByRole('dialog', { name: 'Node 1' });
  await dialog.getByRole('button', { name: 'Other' }).click();
  await dialog.getByLabel('How many').fill('2');
  await dialog.getByLabel('Unit').selectOption('s');
  await dialog.getByRole('button', { name: 'Watch' }).click();
  await dialog.getByRole('alert').getByText('5').waitFor(); // is the least
  await dialog.getByLabel('How many').fill('55');
  await dialog.getByLabel('Unit').selectOption('min');
  await dialog.getByRole('button', { name: 'Medium' }).click();
  await dialog.getByRole('button', { name: 'Watch' }).click();
  await dialog.waitFor({ state: 'detached' });
  await row.getByText('Online').waitFor();
  await row.locator('.interval', { hasText: '55m' }).waitFor();
  const { rustbucket } = await server.do('{ rustbucket(id: "BKT1") { heartbeat { intervalSeconds severity } } }');
  assert.deepEqual(rustbucket.heartbeat, { intervalSeconds: 3300, severity: 'MEDIUM' });

  const expect = (seconds) => server.do('mutation ($seconds: Int!) { expectHeartbeat(rustbucketId: "BKT1", intervalSeconds: $seconds) { id } }', { seconds });
  await expect(5);
  await row.locator('.interval', { hasText: '5s' }).waitFor();
  await row.getByText('Offline').waitFor();
  await row.getByText('overdue').waitFor();
  await row.getByRole('link', { name: '3', exact: true }).waitFor(); // the alert that says so is among them
  await expect(3300); // so that it does not go offline again before anybody looks
  await server.do('mutation { heartbeat(rustbucketId: "BKT1") { id } }');
  await row.getByText('Online').waitFor();
  await row.getByRole('link', { name: '2', exact: true }).click();
  await page.waitForURL('**/alerts?rustbucket=BKT1');
  await until('its alerts', async () => (await page.locator('.alert-row').count()) === 2);
  assert.deepEqual(tried.complaints, []);
});

test('what a list shows is exported', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  await server.createWebhook('On call', receiver.url);
  await create(server, some);
  const { page } = await open(t, server, '/alerts?severity=HIGH&q=disk');
  const download = async (name) => {
    await page.getByRole('button', { name: 'Export' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()]);
    return [file.suggestedFilename(), readFileSync(await file.path(), 'utf8')];
  };
  const [csvName, csv] = await download('As CSV');
  assert.match(csvName, /^alerts-.*\.csv$/);
  const lines = csv.trim().split(/\r?\n/);
  assert.match(lines[0], /id,type,severity,message/);
  assert.deepEqual(lines.slice(1).map((line) => line.split(',').slice(1, 3).join()), Array(5).fill('disk_full,HIGH'));
  const [jsonlName, jsonl] = await download('As JSON Lines');
  assert.match(jsonlName, /^alerts-.*\.jsonl$/);
  assert.deepEqual(jsonl.trim().split('\n').map((line) => JSON.parse(line).type), Array(5).fill('disk_full'));

  await settled(server, some.length);
  await page.goto(`${server.url}/deliveries?status=DELIVERED&status=FAILED&since=1h`);
  const [sentName, sent] = await download('As JSON Lines');
  assert.match(sentName, /^deliveries-.*\.jsonl$/);
  assert.deepEqual(sent.trim().split('\n').map((line) => JSON.parse(line).status), Array(some.length).fill('DELIVERED'));
});

for (const [device, options] of [
  ['desk', { viewport: { width: 1360, height: 1250 } }],
  ['phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
]) {
  test(`axe finds nothing serious in overview, silences and rustbuckets: ${device}`, async (t) => {
    const server = await Server.start(t);
    const receiver = await Receiver.start(t);
    receiver.answer = ({ alert }) => (alert?.severity === 'high' ? 400 : 200);
    await server.createWebhook('On call', receiver.url);
    await create(server, some);
    const soon = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
    const silence = (input) => server.do('mutation ($input: CreateSilenceInput!) { createSilence(input: $input) { id } }', { input });
    await silence({ types: ['disk_full'], rustbucketIds: ['BKT1'], reason: 'Disks are being replaced', endsAt: soon(2) });
    await silence({ severities: ['LOW', 'HIGH'], reason: 'Tomorrow', startsAt: soon(20), endsAt: soon(30) });
    await server.do('mutation { expectHeartbeat(rustbucketId: "BKT1", intervalSeconds: 600) { id } }');
    const { page, tried } = await open(t, server, '/overview', { reducedMotion: 'reduce', ...options });
    const check = (what) => checkAccess(t, page, what);
    await page.getByRole('slider').nth(1).waitFor();
    await page.getByRole('slider').first().focus();
    await check('overview');
    for (const button of await page.getByRole('button', { name: /^Show as table/ }).all()) await button.click();
    await check('overview as tables');
    await page.goto(`${server.url}/silences`);
    await page.getByText('Disks are being replaced').waitFor();
    await check('silences');
    await page.goto(`${server.url}/silences?types=disk_full`);
    await page.getByText('Matches 5 alerts').waitFor();
    await check('silence form');
    await page.goto(`${server.url}/rustbuckets`);
    await page.getByText('Online').last().waitFor();
    await check('rustbuckets');
    await page.goto(`${server.url}/rustbuckets/BKT1`);
    await page.getByRole('dialog').getByText('Expected heartbeats').waitFor();
    await page.getByText('How it sends them').click();
    await check('rustbucket');
    assert.deepEqual(tried.complaints, []);
  });
}
