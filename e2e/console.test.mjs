// The console as a person uses it, in a real browser that cannot reach any other host.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccess } from './axe.mjs';
import { openBrowser, toasted } from './browser.mjs';
import { Cable, startPrefixProxy } from './proxies.mjs';
import { Receiver } from './receiver.mjs';
import { Server, token } from './server.mjs';
import { pressBoth, signIn } from './hands.mjs';
import { patience, until, within } from './wait.mjs';

const row = (page, text) => page.locator('.alert-row', { hasText: text });
const rows = (page) => page.locator('.alert-row');
const live = (page) => page.locator('.live-line', { hasText: 'Live' }).waitFor({ state: 'attached' });
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function open(t, server, path = '/', { as = token, ...options } = {}) {
  const opened = await openBrowser(t, server, options);
  await opened.page.goto(`${options.at ?? server.url}${path}`);
  await signIn(opened.page, as);
  await live(opened.page);
  return opened;
}

const createMany = async (server, count, input = (i) => ({ message: `alert ${i}` })) => {
  for (let i = 0; i < count; i += 1000) {
    const inputs = Array.from({ length: Math.min(1000, count - i) }, (_, n) => ({ type: 'e2e', ...input(i + n) }));
    await server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs });
  }
};

test('an alert, from its coming in to its end', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => ({ status: 503, headers: { 'Retry-After': '3000' }, body: 'down for a moment' }); // so nothing is sent again by itself
  await server.createWebhook('On call', receiver.url);
  const { page, tried, context } = await open(t, server, '/', { colorScheme: 'light' });
  assert.equal(new URL(page.url()).pathname, '/alerts');
  await page.getByText('All quiet').waitFor();

  const id = await server.createAlert({ type: 'disk_full', severity: 'HIGH', message: '412 MB left', details: { host: 'node1.example.com' } });
  await row(page, '412 MB left').waitFor();
  await page.locator('[aria-live=polite]', { hasText: 'New alert: High, disk_full, 412 MB left' }).waitFor({ state: 'attached' });

  await row(page, '412 MB left').getByRole('link').click();
  await page.waitForURL(`**/alerts/${id}`);
  await server.createAlert({ severity: 'LOW', message: 'changes the count of the page', notify: false });
  await page.locator('.page-head .count', { hasText: '2' }).waitFor();
  assert.match(await page.title(), /^disk_full: 412 MB left/);
  await server.do('mutation { deleteAlerts(which: { filter: { severities: [LOW] } }) }');
  const detail = page.getByRole('region', { name: `Alert ${id}` });
  await detail.getByText('status 503').first().waitFor();
  await detail.getByText('Retrying').waitFor();
  assert.match(await detail.locator('.countdown').first().innerText(), /^in (4\dm( \d+s)?|50m)$/);
  await detail.locator('summary', { hasText: 'Answer' }).first().click();
  await detail.getByText('down for a moment').first().waitFor();
  await detail.getByText('"node1.example.com"').waitFor();

  receiver.answer = () => 200;
  await detail.getByRole('button', { name: 'Retry On call now' }).click();
  await detail.locator('.deliveries').getByText('Delivered').waitFor();
  await detail.getByText('was told').waitFor();

  await detail.getByLabel('Comment or note').fill('On it: <b>moving</b> old logs away.');
  await press(detail, 'Acknowledge with this note');
  await detail.locator('.headline').getByText('Acknowledged').waitFor();
  await detail.getByText('On it: <b>moving</b> old logs away.').waitFor();
  await press(detail, 'Assign');
  await page.getByLabel('A person or a team').fill('Storage team');
  await press(page.getByRole('dialog'), 'Assign');
  await detail.locator('.facts-list').getByText('Storage team').waitFor();
  await press(detail, 'Resolve');
  await detail.locator('.headline').getByText('Resolved').waitFor();
  await page.getByText('All quiet').waitFor(); // it has left the list of what is active

  const { alert } = await server.do('query ($id: ID!) { alert(id: $id) { state assignee resolvedBy history { kind text } deliveries { status attempts } } }', { id });
  assert.deepEqual(alert, {
    state: 'RESOLVED',
    assignee: 'Storage team',
    resolvedBy: 'ADMIN_TOKEN',
    history: [
      { kind: 'ACKNOWLEDGED', text: 'On it: <b>moving</b> old logs away.' },
      { kind: 'ASSIGNED', text: null },
      { kind: 'RESOLVED', text: null },
    ],
    deliveries: [{ status: 'DELIVERED', attempts: 2 }],
  });

  // What somebody else does is seen, too.
  await server.do('mutation ($id: ID!) { reopenAlert(id: $id, note: "it is back") { id } }', { id });
  await detail.getByText('it is back').waitFor();
  await detail.locator('.headline').getByText('Open', { exact: true }).waitFor();
  await row(page, '412 MB left').waitFor();

  // The query behind it, in the playground.
  const href = await detail.getByRole('link', { name: 'Open in the playground' }).getAttribute('href');
  const linked = new URL(href);
  assert.equal(linked.pathname, '/playground');
  assert.deepEqual(JSON.parse(linked.searchParams.get('variables')), { id });
  assert.equal((await server.do(linked.searchParams.get('query'), { id })).alert.message, '412 MB left');

  const kept = await page.evaluate(() => ({ local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie }));
  assert.deepEqual(kept, { local: {}, session: {}, cookies: '' });
  const [cookie] = await context.cookies();
  assert.ok(cookie.httpOnly);
  for (const secret of [token, cookie.value]) {
    assert.ok(!tried.addresses.some((address) => address.includes(secret)), 'a secret was in an address');
    assert.ok(!server.log.includes(secret), 'a secret is in the log');
  }
  assert.deepEqual(tried.foreign, [], 'another host was asked for');
  assert.deepEqual(tried.complaints, [], 'the browser complains');
});

test('the first view is under 300 KB over the wire', async (t) => {
  const server = await Server.start(t);
  await createMany(server, 200, (i) => ({ message: `something that is about as long as messages are, number ${i}`, rustbucket: { id: `BKT${i % 20}`, name: `Node ${i % 20}` } }));
  const { page, context } = await openBrowser(t, server);
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  const asked = new Map();
  let bytes = 0;
  wire.on('Network.responseReceived', ({ requestId, response }) => asked.set(requestId, new URL(response.url).pathname));
  wire.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    bytes += encodedDataLength;
    t.diagnostic(`${String(encodedDataLength).padStart(7)} ${asked.get(requestId)}`);
  });
  await page.goto(server.url);
  await signIn(page, token);
  await rows(page).first().waitFor();
  await page.waitForLoadState('networkidle');
  t.diagnostic(`the first view took ${bytes} bytes`);
  assert.ok(bytes > 50_000 && bytes < 300_000, `${bytes} bytes`);
});

test('offline and back: nothing is missed, nothing comes twice', async (t) => {
  const server = await Server.start(t);
  const cable = await Cable.start(t, server);
  const { page, context } = await open(t, server, '/alerts', { at: cable.url });
  let n = 0;
  const create = async (count) => {
    for (const end = n + count; n < end; n++) await server.createAlert({ message: `message ${n}.` });
  };
  const complete = () =>
    until('all alerts in the list, newest first', async () => {
      const shown = await page.locator('.alert-row .message').allInnerTexts();
      return shown.length === n && shown.every((text, i) => text === `message ${n - 1 - i}.`);
    });
  await create(3);
  await complete();

  // The cable is pulled.
  cable.cut();
  await page.getByText('Reconnecting…').waitFor();
  await create(4);
  cable.mend();
  await complete();
  await live(page);

  // The device knows that it is offline.
  await context.setOffline(true);
  await page.getByText('Offline', { exact: true }).waitFor();
  await create(4);
  const { alerts } = await server.do('{ alerts(filter: { search: "message 0." }) { nodes { id } } }');
  await server.do('mutation ($id: ID!) { acknowledgeAlert(id: $id) { id } }', { id: alerts.nodes[0].id });
  assert.equal(await rows(page).count(), 7);
  await context.setOffline(false);
  await complete();
  await row(page, 'message 0.').getByText('Acknowledged').waitFor();

  // The server itself goes and comes.
  await server.stop();
  await page.getByText('Reconnecting…').waitFor();
  await server.start();
  await create(2);
  await complete();
  await live(page);
});

test('a place in the feed that is gone makes the page read everything anew', async (t) => {
  const env = { SECRET_KEY: Buffer.alloc(32, 7).toString('base64') }; // one session is good on both
  const server = await Server.start(t, env);
  const other = await Server.start(t, env);
  const cable = await Cable.start(t, server);
  for (let i = 0; i < 5; i++) await server.createAlert({ message: 'of the one' });
  await other.createAlert({ message: 'of the other' });
  const { page } = await open(t, server, '/alerts', { at: cable.url });
  await row(page, 'of the one').first().waitFor();
  cable.cut();
  cable.server = other;
  cable.mend();
  await row(page, 'of the other').waitFor();
  assert.equal(await row(page, 'of the one').count(), 0);
  await live(page);
  await other.createAlert({ message: 'and live again' });
  await row(page, 'and live again').waitFor();
});

test('10,000 alerts scroll', async (t) => {
  const server = await Server.start(t);
  const all = 10_000;
  await createMany(server, all, (i) => ({ severity: ['LOW', 'MEDIUM', 'HIGH'][i % 3], message: `alert ${i}` }));
  const { page, tried } = await open(t, server);
  await rows(page).first().waitFor();
  // Smooth is what has little to do for a frame, however long the list is: that is counted, in rows that are in the page and in changes
  // of the page. How long the frames took is told as well, and depends on the machine.
  const seen = await page.evaluate(async ([wanted, patience]) => {
    const box = document.querySelector('.list-box');
    const ids = new Set();
    const frames = [];
    let most = 0; // rows in the page
    let changes = 0; // elements that came, went, or were changed
    let stale = 0; // frames without a new row
    const count = (records) => (changes += records.reduce((sum, { addedNodes, removedNodes }) => sum + (addedNodes.length + removedNodes.length || 1), 0));
    const observer = new MutationObserver(count);
    observer.observe(box, { childList: true, subtree: true, attributes: true, characterData: true });
    let last = performance.now();
    let advanced = last;
    while (ids.size < wanted && last - advanced < patience) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      frames.push(now - last);
      last = now;
      const links = box.querySelectorAll('.alert-row a');
      most = Math.max(most, links.length);
      const before = ids.size;
      for (const link of links) ids.add(link.pathname);
      if (ids.size > before) [stale, advanced] = [0, now];
      else stale++;
      // Where a frame comes late, rows are passed over before they are drawn: those are looked for in another round.
      const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 1;
      if (atEnd && stale > 120) stale = box.scrollTop = 0;
      else box.scrollTop += box.clientHeight * 1.2; // some rows beyond the window are in the page, too
    }
    count(observer.takeRecords());
    observer.disconnect();
    frames.sort((a, b) => a - b);
    const at = (part) => Math.round(frames[Math.floor((frames.length - 1) * part)] * 10) / 10;
    return { reached: ids.size, most, changes, frames: frames.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
  }, [all, patience]);
  t.diagnostic(`while scrolling: ${JSON.stringify(seen)}`);
  assert.equal(seen.reached, all, 'all can be reached');
  assert.ok(seen.most < 80, `${seen.most} rows in the page at a time`);
  assert.ok(seen.changes < 100 * seen.frames, `${seen.changes} changes of the page in ${seen.frames} frames`);

  // Somebody who reads further down is not disturbed.
  const read = () => page.evaluate(() => {
    const { x, y, width, height } = document.querySelector('.list-box').getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2).closest('.alert-row')?.querySelector('.message').innerText;
  });
  const before = await until('a row in the middle', read);
  await createMany(server, 12, (i) => ({ message: `late ${i}` }));
  const pill = page.getByRole('button', { name: '12 new alerts' });
  await pill.waitFor();
  assert.equal(await read(), before);
  await pill.click();
  await row(page, 'late 11').waitFor();
  await until('the top', () => page.evaluate(() => document.querySelector('.list-box').scrollTop === 0));

  // The address says what is shown, and all of it can be resolved at once.
  await page.getByRole('group', { name: 'Severity' }).getByRole('button', { name: 'High' }).click();
  await page.waitForURL(/severity=HIGH/);
  await page.locator('.page-head .count', { hasText: '3,333' }).waitFor();
  await rows(page).first().getByRole('checkbox').check();
  await press(page, 'Select all 3,333');
  await press(page, 'Resolve');
  await toasted(page, '3,333 alerts resolved');
  await page.getByText('No active alerts match').waitFor();
  const { alerts } = await server.do('{ alerts(first: 0, filter: { isResolved: true }) { totalCount } }');
  assert.equal(alerts.totalCount, 3333);
  assert.deepEqual(tried.complaints, []);
});

test('what happens to an alert while its page is on its way is seen', async (t) => {
  const server = await Server.start(t);
  const ids = [];
  for (let i = 0; i < 60; i++) ids.push(await server.createAlert({ message: `alert ${i}.` }));
  const opened = await openBrowser(t, server, {});
  const { page } = opened;
  let arrive;
  const held = new Promise((resolve) => (arrive = resolve));
  let asked = () => {};
  const second = new Promise((resolve) => (asked = resolve));
  await page.route('**/graphql', async (route) => {
    const { query, variables } = route.request().postDataJSON() ?? {};
    if (!query?.includes('query Alerts(') || !variables?.after) return route.continue();
    const response = await route.fetch({ timeout: patience }); // the server has answered, and the answer takes its time
    asked();
    await held;
    await route.fulfill({ response });
  });
  await server.do('mutation ($id: ID!) { resolveAlert(id: $id) { id } }', { id: ids[3] });
  await page.goto(`${server.url}/`);
  await signIn(page, token);
  await live(page);
  await rows(page).first().waitFor();
  await page.evaluate(() => (document.querySelector('.list-box').scrollTop = 1e6));
  await within('the page to ask for more', second);
  await server.do('mutation ($gone: ID!, $above: ID!, $back: ID!) { gone: resolveAlert(id: $gone) { id } above: resolveAlert(id: $above) { id } reopenAlert(id: $back) { id } }', { gone: ids[5], above: ids[58], back: ids[3] });
  await server.createAlert({ message: 'the last word' });
  await page.getByRole('button', { name: '1 new alert' }).waitFor(); // so the events before it were heard, too
  arrive();
  await row(page, 'alert 4.').waitFor();
  await row(page, 'alert 3.').waitFor();
  assert.equal(await row(page, 'alert 5.').count(), 0);
  assert.equal(await row(page, 'the last word').count(), 0);
  // Nor has the page brought back what has left the list above it.
  await page.evaluate(() => (document.querySelector('.list-box').scrollTop = 0));
  await row(page, 'alert 57.').waitFor();
  assert.equal(await row(page, 'alert 58.').count(), 0);
});

test('a flood does not bury the page', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await open(t, server);
  await createMany(server, 6000);
  await page.locator('.page-head .count', { hasText: '6,000' }).waitFor();
  await until('the newest at the top', async () => (await rows(page).first().innerText()).includes('alert 5999'));
  assert.ok((await rows(page).count()) < 80);
  assert.deepEqual(tried.complaints, []);
});

test('by keyboard alone', async (t) => {
  const server = await Server.start(t);
  const ids = [];
  for (const name of ['one', 'two', 'three']) ids.push(await server.createAlert({ message: name }));
  const { page } = await open(t, server);
  await row(page, 'three').waitFor();
  const state = async (id) => (await server.do('query ($id: ID!) { alert(id: $id) { state } }', { id })).alert.state;

  await page.keyboard.press('j');
  await page.keyboard.press('ArrowDown');
  await until('the second row to have the focus', () => page.evaluate(() => document.activeElement.textContent.includes('two')));
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/alerts/${ids[1]}`);
  await page.keyboard.press('a');
  await until('the alert to be acknowledged', async () => (await state(ids[1])) === 'ACKNOWLEDGED');
  await page.locator('.headline').getByText('Acknowledged').waitFor();
  // Once more Enter goes into it, and what is pressed there leaves the focus there.
  const inAlert = () => until('the focus in the alert', () => page.evaluate(() => document.activeElement.matches('.detail h2')));
  await page.keyboard.press('Enter');
  await inAlert();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until('the alert to be resolved', async () => (await state(ids[1])) === 'RESOLVED');
  await inAlert();
  const composer = page.getByLabel('Comment or note');
  await composer.fill('not sent yet');
  await page.keyboard.press('Escape');
  await page.keyboard.press('k');
  await page.waitForURL(`**/alerts/${ids[2]}`);
  await until('the field to be empty', async () => (await composer.inputValue()) === '');
  // A field that has just come is not yet listening to the keyboard.
  await until('the focus in the field', async () => {
    await page.keyboard.press('c');
    return composer.evaluate((field) => field === document.activeElement);
  });
  await page.keyboard.type('a and r are letters here');
  assert.equal(await composer.inputValue(), 'a and r are letters here');
  await page.keyboard.press('Control+Enter');
  await page.locator('.note', { hasText: 'a and r are letters here' }).waitFor();
  assert.equal(await state(ids[2]), 'OPEN');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.waitForURL('**/alerts');
  await page.keyboard.press('r');
  await until('the alert to be resolved', async () => (await state(ids[2])) === 'RESOLVED');

  await page.keyboard.press('/');
  await page.keyboard.type('one');
  await page.waitForURL(/q=one/);
  await until('one row', async () => (await rows(page).count()) === 1);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.getByText('Acknowledge').waitFor();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'detached' });
  await pressBoth(page, 'g', 'a', '**/alerts');
});

test('an alert of words without an end has its buttons in sight', async (t) => {
  const server = await Server.start(t);
  await server.createAlert({ type: 'W'.repeat(255), message: 'x'.repeat(3000), rustbucket: { id: 'B'.repeat(100), name: 'N'.repeat(100) } });
  const { page, tried } = await open(t, server, '/alerts/1', { viewport: { width: 390, height: 800 } });
  const seen = (button) => until('the button to be in sight', async () => {
    const box = await button.boundingBox();
    return box && box.x >= 0 && box.x + box.width <= 390 && box.y + box.height <= 800;
  });
  await seen(page.getByRole('button', { name: 'Acknowledge', exact: true }));
  await press(page, 'Show the whole message');
  await press(page, 'Show less');
  assert.ok(await page.locator('.detail-body').evaluate((body) => body.scrollWidth <= body.clientWidth));
  await page.getByRole('link', { name: 'Silence alerts like this' }).click();
  const form = page.getByRole('dialog', { name: 'New silence' });
  await form.getByText(/^Matches 1 alert/).waitFor();
  const silence = form.getByRole('button', { name: 'Silence', exact: true });
  await silence.scrollIntoViewIfNeeded();
  await seen(silence);
  assert.deepEqual(tried.complaints, []);
});

test('who may what, and a session that ends', async (t) => {
  const server = await Server.start(t);
  const make = async (name, role) => (await server.command('token', 'create', '--name', name, '--role', role)).trim();
  const [reporter, viewer, analyst] = [await make('node', 'REPORTER'), await make('reader', 'VIEWER'), await make('night', 'ANALYST')];
  const id = await server.createAlert({ message: 'for all of them' });
  const { page, tried } = await openBrowser(t, server);

  await page.goto(`${server.url}/alerts/${id}?severity=LOW`);
  const card = await page.locator('.sign-in form').boundingBox();
  assert.ok(Math.abs(card.x + card.width / 2 - 680) < 20 && card.y > 100, `the form is not in the middle: ${JSON.stringify(card)}`);
  await signIn(page, 'wrong');
  await page.getByText('This token is not valid').waitFor();
  await signIn(page, reporter);
  await page.getByText('it may report alerts, and cannot read them').waitFor();
  assert.deepEqual(tried.api, [], 'the API was asked before anybody signed in');

  await signIn(page, viewer);
  const detail = page.getByRole('region', { name: `Alert ${id}` });
  await detail.getByText('for all of them').waitFor();
  assert.equal(new URL(page.url()).search, '?severity=LOW');
  for (const name of ['Resolve', 'Acknowledge', 'Assign', 'Delete this alert', 'Comment']) {
    assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  }
  assert.equal(await page.getByRole('checkbox').count(), 0);
  await page.keyboard.press('r');

  await server.command('token', 'revoke', 'reader');
  await page.getByText('no longer accepts your session').waitFor();
  await signIn(page, `Authorization: Bearer ${analyst}`);
  await detail.getByText('for all of them').waitFor();
  assert.equal(new URL(page.url()).search, '?severity=LOW');
  assert.equal(await detail.getByRole('button', { name: 'Delete this alert' }).count(), 0);
  await detail.locator('.headline').getByText('Open', { exact: true }).waitFor(); // the reader's r did nothing
  await press(detail, 'Resolve');
  await detail.locator('.facts-list').getByText('by night').waitFor();

  await page.getByRole('button', { name: /account and settings/ }).click();
  await page.getByRole('menuitem', { name: 'Dark theme' }).click();
  await until('the dark theme', () => page.evaluate(() => document.documentElement.dataset.theme === 'dark'));
  await page.getByRole('button', { name: /account and settings/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByLabel('Token', { exact: true }).waitFor();

  await signIn(page, token);
  await detail.getByRole('button', { name: 'Delete this alert' }).click();
  await press(page.getByRole('dialog'), 'Delete');
  await toasted(page, 'Alert deleted');
  assert.deepEqual(tried.complaints.filter((text) => !/status of (401|400)/.test(text)), []);
  assert.equal((await server.do('{ alerts { totalCount } }')).alerts.totalCount, 0);
});

test('it stands below a prefix of a proxy', async (t) => {
  const server = await Server.start(t);
  const at = await startPrefixProxy(t, server, '/sub');
  const id = await server.createAlert({ message: 'below' });
  const { page, tried } = await open(t, server, `/sub/alerts/${id}`, { at });
  await page.getByRole('region', { name: `Alert ${id}` }).getByText('below').waitFor();
  await press(page, 'Close');
  await page.waitForURL('**/sub/alerts');
  await server.createAlert({ message: 'live below' });
  await row(page, 'live below').waitFor();
  const href = await page.getByRole('link', { name: 'Open in the playground' }).getAttribute('href');
  assert.ok(href.startsWith(`${at}/sub/playground?`), href);
  assert.deepEqual(tried.complaints, []);
});

for (const [device, options] of [
  ['desk', { viewport: { width: 1360, height: 820 } }],
  ['phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
]) {
  test(`axe finds nothing serious: ${device}`, async (t) => {
    const server = await Server.start(t);
    const receiver = await Receiver.start(t);
    receiver.answer = ({ alert }) => (alert.severity === 'high' ? 400 : 200);
    await server.createWebhook('On call', receiver.url);
    await createMany(server, 30, (i) => ({ severity: ['LOW', 'MEDIUM', 'HIGH'][i % 3], message: `alert ${i}`, rustbucket: { id: 'BKT1', name: 'Node 1' }, details: { i, text: 'x', list: [true, null] } }));
    const id = await server.createAlert({ severity: 'HIGH', message: 'with a story' });
    await server.do('mutation ($id: ID!) { acknowledgeAlert(id: $id, note: "a note") { id } assignAlert(id: $id, assignee: "Team") { id } }', { id });
    await server.do('mutation { resolveAlert(id: 3) { id } }');
    const { page, tried } = await openBrowser(t, server, { reducedMotion: 'reduce', ...options });
    const check = (what) => checkAccess(t, page, what);
    await page.goto(`${server.url}/alerts?state=all`);
    await page.getByLabel('Token', { exact: true }).waitFor();
    await check('signing in');
    await signIn(page, token);
    await live(page);
    await row(page, 'with a story').waitFor();
    await check('the list');
    await rows(page).nth(1).getByRole('checkbox').check();
    await page.getByText('1 selected').waitFor();
    await check('a selection');
    await press(page, 'Clear the selection');
    await press(page, 'Filters');
    await page.getByLabel('Assignee').waitFor();
    await check('filters');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await check('help');
    await page.keyboard.press('Escape');
    await row(page, 'with a story').getByRole('link').click();
    await page.getByText('Given up on').waitFor();
    await check('an alert');
    assert.deepEqual(tried.complaints, []);
  });
}
