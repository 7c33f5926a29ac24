// The console's other views, as a person uses them: channels, deliveries, tokens, the audit log, the pause.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccess } from './axe.mjs';
import { openBrowser, toasted } from './browser.mjs';
import { Receiver } from './receiver.mjs';
import { Server, token } from './server.mjs';
import { signIn } from './hands.mjs';
import { until } from './wait.mjs';

const live = (page) => page.locator('.live-line', { hasText: 'Live' }).waitFor({ state: 'attached' });
const press = (within, name) => within.getByRole('button', { name, exact: true }).click();
const dialog = (page) => page.getByRole('dialog');

async function open(t, server, path, { as = token, ...options } = {}) {
  const opened = await openBrowser(t, server, options);
  await opened.page.goto(`${server.url}${path}`);
  await signIn(opened.page, as);
  await live(opened.page);
  return opened;
}

// Signs in with a new token of this role.
async function openAs(t, server, path, role) {
  const secret = (await server.command('token', 'create', '--name', role.toLowerCase(), '--role', role)).trim();
  return open(t, server, path, { as: secret });
}

const channelsOf = async (server) => (await server.do('{ channels { id name isActive minSeverity } }')).channels;
const countOf = async (server, ...statuses) => (await server.do('query ($statuses: [DeliveryStatus!]) { deliveries(filter: { statuses: $statuses }, first: 0) { totalCount } }', { statuses })).deliveries.totalCount;

// The text that an input's aria-describedby leads to.
const described = (input) => input.evaluate((element) => (element.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' '));

test('a channel is made by its form, tested before it is saved, and changed with the secrets it has', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  const { page, tried } = await open(t, server, '/channels');
  await page.getByRole('link', { name: 'Make the first one' }).click();
  await page.getByRole('radio', { name: 'Webhook', exact: true }).check({ force: true });
  await page.getByLabel('Name', { exact: true }).fill('Ticket system');

  const url = page.getByRole('textbox', { name: 'URL' });
  await url.fill('ftp://example.com/hook');
  await press(page, 'Make the channel');
  await page.getByText('Must begin with https:// or http://').waitFor();
  assert.equal(await url.getAttribute('aria-invalid'), 'true');
  assert.match(await described(url), /Must begin with/);
  await until('the field at fault to have the focus', () => url.evaluate((element) => element === document.activeElement));

  await url.fill(`${receiver.url}-hush`);
  await press(page, 'Add one');
  await page.getByLabel('Headers: name 1').fill('Authorization');
  await page.getByLabel('Headers: value of Authorization').fill('Bearer hush');

  receiver.answer = () => ({ status: 500, headers: {}, body: 'out of order' });
  await press(page, 'Send a test');
  const outcome = page.locator('.outcome');
  await outcome.getByText('Failed').waitFor();
  await outcome.getByText('Status 500').waitFor();
  await outcome.getByText('out of order').waitFor();
  let boxes;
  await until(() => `the outcome to be in sight, above the buttons: ${JSON.stringify(boxes)}`, async () => {
    boxes = [await outcome.boundingBox(), await page.locator('.form-foot').boundingBox()];
    const [{ y, height }, foot] = boxes;
    return y >= 0 && y + height <= foot.y;
  });
  receiver.answer = () => 200;
  await press(page, 'Send a test');
  await outcome.getByText('Worked').waitFor();
  assert.deepEqual(receiver.requests.items.map(({ headers }) => headers.authorization), ['Bearer hush', 'Bearer hush']);
  assert.deepEqual(await channelsOf(server), [], 'a test saved something');

  const template = page.getByRole('textbox', { name: 'Body template' });
  const preview = page.getByRole('region', { name: 'Preview of the body' });
  await template.fill('{"text": {{json .Massage}}}');
  await preview.locator('.fault', { hasText: 'Massage' }).waitFor();
  await template.fill('{"text": {{json .Message}}}');
  await preview.locator('pre', { hasText: '{"text": "' }).waitFor();
  await preview.getByText('This is JSON.').waitFor();

  await press(page, 'Make the channel');
  await page.getByRole('heading', { name: 'Ticket system' }).waitFor();
  await page.getByText('Not used yet').waitFor();
  const [{ id }] = await channelsOf(server);
  await page.waitForURL(`**/channels/${id}`);

  await page.reload();
  await press(page, 'Edit');
  await page.getByText('kept as it is').waitFor();
  assert.match(await url.inputValue(), /\/\*{4}$/);
  assert.equal(await page.getByLabel('Headers: value of Authorization').inputValue(), '****');
  assert.ok(!(await page.content()).includes('hush'), 'a secret is in the page');
  await press(page, 'Send a test');
  await outcome.getByText('Worked').waitFor();
  await press(page.getByRole('group', { name: 'Least severity' }), 'High');
  await press(page, 'Save');
  await toasted(page, 'Ticket system is saved');
  await server.createAlert({ severity: 'HIGH', message: 'after the change' });
  const { headers, body } = await receiver.requests.see('the alert', (items) => items.find(({ body }) => body.includes('after the change')));
  assert.equal(headers.authorization, 'Bearer hush', 'the secret was lost');
  assert.equal(body, '{"text": "after the change"}');
  await page.locator('.last-deliveries', { hasText: 'after the change' }).getByText('Delivered').waitFor();
  assert.equal((await channelsOf(server))[0].minSeverity, 'HIGH');

  // A name that is taken is said beside the name.
  await page.goto(`${server.url}/channels/new`);
  await page.getByRole('radio', { name: 'Webhook', exact: true }).check({ force: true });
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('Ticket system');
  await url.fill(receiver.url);
  await press(page, 'Make the channel');
  await page.getByText('There is a channel named "Ticket system" already').waitFor();
  assert.equal(await name.getAttribute('aria-invalid'), 'true');
  assert.deepEqual(tried.foreign, []);
  assert.deepEqual(tried.complaints, []);
});

test('who leaves a form with unsaved changes is asked', async (t) => {
  const server = await Server.start(t);
  const id = await server.createWebhook('Ticket system', 'https://example.com/hook');
  const { page, tried } = await open(t, server, '/channels', { viewport: { width: 390, height: 800 } });
  await page.getByRole('link', { name: 'Ticket system' }).click();
  await press(page, 'Edit');
  const name = page.getByLabel('Name', { exact: true });
  await name.waitFor();
  assert.equal(await page.locator('.page-body').evaluate((body) => body.scrollTop), 0, 'the form does not begin at its top');
  await name.fill('Tickets');
  const leave = dialog(page).filter({ hasText: 'Leave without saving?' });
  const stay = async () => {
    await press(leave, 'Stay');
    await leave.waitFor({ state: 'detached' });
    assert.equal(await name.inputValue(), 'Tickets');
    await page.waitForURL(({ search }) => search === '?edit=1');
  };
  await page.getByRole('link', { name: 'Deliveries' }).click();
  await stay();
  await page.goBack();
  await stay();
  await page.goBack();
  await press(leave, 'Leave');
  await page.getByRole('heading', { name: 'Health' }).waitFor();
  await page.waitForURL(`**/channels/${id}`);

  await press(page, 'Edit');
  await name.fill('Tickets');
  await press(page, 'Save');
  await toasted(page, 'Tickets is saved');
  await page.getByRole('link', { name: 'Deliveries' }).click();
  await page.getByText('Nothing was sent yet').waitFor();

  // Nor does a click beside a dialog lose what was typed into it.
  await page.goto(`${server.url}/silences`);
  await page.getByRole('button', { name: 'New silence' }).first().click();
  await dialog(page).getByLabel('Reason').fill('Disks are being replaced');
  await page.mouse.click(5, 5);
  assert.equal(await dialog(page).getByLabel('Reason').inputValue(), 'Disks are being replaced');
  assert.deepEqual(tried.complaints, []);
});

test('every type has its form, drawn from what the server tells', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await open(t, server, '/channels/new');
  const { channelTypes } = await server.do('{ channelTypes { type title fields { title required } } }');
  for (const { title, fields } of channelTypes) {
    await page.getByRole('radio', { name: title, exact: true }).check({ force: true });
    const part = page.getByRole('region', { name: title, exact: true });
    for (const field of fields) await part.locator('label, legend', { hasText: field.title }).first().waitFor();
    // Nothing is filled in: the first thing that is missing is the name, and then what the type needs.
    await page.getByLabel('Name', { exact: true }).fill(`one of ${title}`);
    await press(page, 'Make the channel');
    await part.locator('.fault:not(:empty)').first().waitFor();
    assert.ok((await part.locator('[aria-invalid=true]').count()) > 0, title);
  }
  assert.deepEqual(await channelsOf(server), []);
  assert.deepEqual(tried.complaints, []);
});

test('several channels are tested, deactivated and deleted at once', async (t) => {
  const server = await Server.start(t);
  const good = await Receiver.start(t);
  const bad = await Receiver.start(t);
  bad.answer = () => ({ status: 418, headers: {}, body: 'short and stout' });
  await server.createWebhook('one', good.url);
  await server.createWebhook('two', bad.url);
  await server.createWebhook('three', good.url);
  await server.createWebhook('stays', good.url);
  const { page, tried } = await open(t, server, '/channels');
  for (const name of ['one', 'two', 'three']) await page.getByRole('checkbox', { name: `Select ${name}` }).check();
  const bulk = page.getByRole('toolbar', { name: 'With the selected channels' });

  await press(bulk, 'Test');
  await dialog(page).getByText('1 of 3 failed.').waitFor();
  assert.equal(await dialog(page).locator('.outcome.good').count(), 2);
  await dialog(page).locator('li', { hasText: 'two' }).getByText('short and stout').waitFor();
  await dialog(page).locator('footer').getByRole('button', { name: 'Close' }).click();

  await press(bulk, 'Deactivate');
  assert.equal((await channelsOf(server)).filter(({ isActive }) => isActive).length, 4, 'nobody has confirmed');
  await press(dialog(page), 'Deactivate');
  await toasted(page, '3 channels are off');
  assert.deepEqual((await channelsOf(server)).filter(({ isActive }) => isActive).map(({ name }) => name), ['stays']);
  await page.locator('.channel-row', { hasText: 'one' }).getByText('Off').waitFor();

  for (const name of ['one', 'two']) await page.getByRole('checkbox', { name: `Select ${name}` }).check();
  await press(bulk, 'Delete');
  await dialog(page).getByText('This cannot be undone').waitFor();
  await press(dialog(page), 'Delete 2');
  await toasted(page, '2 channels are deleted');
  await page.locator('.channel-row').nth(1).waitFor();
  assert.equal(await page.locator('.channel-row').count(), 2);
  assert.deepEqual((await channelsOf(server)).map(({ name }) => name), ['stays', 'three']);
  assert.deepEqual(tried.complaints, []);
});

test('a signing secret is made anew and shown once', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  const id = await server.createWebhook('signs', receiver.url);
  const { page } = await open(t, server, `/channels/${id}`);
  const more = page.getByRole('button', { name: 'More for signs' });
  await more.click();
  await page.getByRole('menuitem', { name: 'New signing secret…' }).click();
  await press(dialog(page), 'Make it');
  const secret = await page.getByLabel('Signing secret', { exact: true }).inputValue();
  assert.match(secret, /^whsec_/);
  await press(dialog(page), 'I have kept it');
  await dialog(page).waitFor({ state: 'detached' });
  assert.ok(!(await page.content()).includes(secret));
});

test('what failed is sent again all at once, and what waits is seen and cancelled', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => ({ status: 400, headers: {}, body: 'not like this' });
  const channel = await server.createWebhook('hook', receiver.url);
  const { page, tried } = await open(t, server, '/deliveries');
  await page.getByText('Nothing was sent yet').waitFor();
  for (let i = 0; i < 5; i++) await server.createAlert({ message: `alert ${i}` });
  const rows = page.locator('.delivery-row');
  await page.getByRole('button', { name: 'Retry 5 failed' }).waitFor();
  await rows.nth(4).waitFor();

  await rows.filter({ hasText: 'alert 3' }).getByRole('link').click();
  const detail = page.getByRole('region', { name: /^Delivery \d+$/ });
  await detail.getByText('Status 400').waitFor();
  await detail.getByText('What the other side answered').click();
  await detail.getByText('not like this').waitFor();
  receiver.answer = () => 200;
  await press(detail, 'Send again');
  await detail.getByText('2. Worked').waitFor();
  await detail.getByText('Delivered').first().waitFor();
  await press(detail, 'Close');

  await press(page, 'Retry 4 failed');
  assert.equal(await countOf(server, 'FAILED'), 4, 'nobody has confirmed');
  await press(dialog(page), 'Retry all');
  await page.getByText('4 deliveries sent again: 4 delivered.').waitFor();
  assert.equal(await countOf(server, 'DELIVERED'), 5);
  await until('all rows to say so', async () => (await rows.getByText('Delivered').count()) === 5);

  // Nothing is attempted while notifications are paused: no event tells of these.
  await server.do('mutation { pauseNotifications(reason: "a test") { since } }');
  await server.createAlert({ message: 'waits for long' });
  await rows.filter({ hasText: 'waits for long' }).getByText('Waiting').waitFor();
  await press(page.getByRole('group', { name: 'Status' }), 'Waiting');
  await page.getByRole('combobox', { name: 'Channel' }).selectOption(channel);
  await page.waitForURL(({ search }) => search === `?status=PENDING&channel=${channel}`);
  await until('one row', async () => (await rows.count()) === 1);
  await press(page, 'Cancel 1 waiting');
  await press(dialog(page), 'Cancel them');
  await toasted(page, '1 delivery is cancelled');
  assert.equal(await countOf(server, 'CANCELLED'), 1);
  await page.getByText('No deliveries match').waitFor();
  assert.deepEqual(tried.complaints, []);
});

test('how many there are holds when more than is shown fails again', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => ({ status: 400, headers: {} });
  await server.createWebhook('hook', receiver.url);
  const inputs = Array.from({ length: 80 }, (_, n) => ({ type: 'e2e', message: `alert ${n}` }));
  await server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs });
  await until('all to fail', async () => (await countOf(server, 'FAILED')) === 80);
  const { page } = await open(t, server, '/deliveries?status=FAILED');
  const count = page.locator('.page-head .count');
  await count.getByText('80', { exact: true }).waitFor();
  await press(page, 'Retry 80 failed');
  await press(dialog(page), 'Retry all');
  await page.getByText('0 delivered, 80 failed again.').waitFor();
  await count.getByText('80', { exact: true }).waitFor();
});

test('notifications are paused and resumed, and every page says so', async (t) => {
  const server = await Server.start(t);
  const { page } = await open(t, server, '/channels');
  await press(page, 'Pause all');
  await press(dialog(page), 'Pause');
  await dialog(page).getByText('Is empty').waitFor(); // beside the reason
  await dialog(page).getByLabel('Reason').fill('Maintenance');
  await press(dialog(page), 'Pause');
  await page.getByText('Notifications are paused: Maintenance').waitFor();
  const { notificationPause } = await server.do('{ notificationPause { reason until } }');
  assert.equal(notificationPause.reason, 'Maintenance');
  assert.ok(Date.parse(notificationPause.until) > Date.now() + 3_000_000);
  await page.getByRole('link', { name: 'Alerts' }).first().click();
  await page.getByText('Notifications are paused: Maintenance').waitFor();
  await press(page, 'Resume');
  await press(dialog(page), 'Resume');
  await page.locator('.pause-banner').waitFor({ state: 'detached' });
  assert.equal((await server.do('{ notificationPause { reason } }')).notificationPause, null);
});

test('a token is made, shown once, used and revoked, and the audit log tells of all', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  const channel = await server.createWebhook('hook', receiver.url);
  await server.do('mutation ($id: ID!) { updateChannel(id: $id, input: { minSeverity: MEDIUM, alertTypes: ["error"] }) { id } }', { id: channel });
  const { page, tried } = await open(t, server, '/tokens');
  await press(page, 'New token');
  await press(dialog(page), 'Make the token');
  await dialog(page).getByText('Is empty').waitFor();
  await dialog(page).getByLabel('Name', { exact: true }).fill('sensor 7');
  await dialog(page).getByRole('radio', { name: 'VIEWER' }).check();
  await dialog(page).getByLabel('Ends', { exact: true }).selectOption('30');
  await dialog(page).getByLabel('Alerts a minute').fill('60');
  await press(dialog(page), 'Make the token');
  const secret = await dialog(page).getByLabel('Token', { exact: true }).inputValue();
  assert.equal((await server.post({ query: '{ viewer { name role } }' }, { Authorization: `Bearer ${secret}` })).body.data.viewer.name, 'sensor 7');
  await press(dialog(page), 'I have kept it');
  const row = page.getByRole('row', { name: 'sensor 7' });
  await row.getByText('VIEWER').waitFor();
  await row.getByText(/^in 29d/).waitFor();
  assert.ok(!(await page.content()).includes(secret), 'the secret is still in the page');

  await press(page, 'Revoke sensor 7');
  await press(dialog(page), 'Revoke');
  await toasted(page, 'sensor 7 is revoked');
  await row.waitFor({ state: 'detached' });
  assert.equal((await server.post({ query: '{ viewer { name } }' }, { Authorization: `Bearer ${secret}` })).status, 401);

  await page.getByRole('link', { name: 'Audit' }).first().click();
  const entries = page.locator('.audit > li');
  await entries.filter({ hasText: 'Token revoked' }).getByText('sensor 7').waitFor();
  const updated = entries.filter({ hasText: 'Channel updated' });
  const change = (await updated.locator('.changes > div', { hasText: 'min severity' }).innerText()).replaceAll(/\s+/g, ' ');
  assert.match(change, /^min severity LOW ?→ became MEDIUM$/);
  await page.getByRole('combobox', { name: 'Action' }).selectOption('TOKEN_CREATED');
  await until('one entry', async () => (await entries.count()) === 1);
  await entries.first().getByText('sensor 7').waitFor();
  await page.getByRole('combobox', { name: 'Action' }).selectOption('');
  await updated.waitFor();
  await updated.getByRole('button', { name: `Only what is about channel ${channel}` }).click();
  await until('those of the channel', async () => (await entries.count()) === 2);
  assert.deepEqual(tried.complaints, []);
});

test('the audit log is read to its end', async (t) => {
  const server = await Server.start(t);
  for (let i = 0; i < 130; i++) await server.do('mutation ($name: String!) { createToken(input: { name: $name, role: REPORTER }) { secret } }', { name: `machine ${i}` });
  const { page } = await open(t, server, '/audit');
  const entries = page.locator('.audit > li');
  await entries.filter({ hasText: 'machine 129' }).waitFor();
  assert.ok((await entries.count()) < 130);
  await until('the first entry', async () => {
    await page.locator('.page-body').evaluate((body) => body.scrollTo({ top: body.scrollHeight }));
    return (await entries.getByRole('link', { name: 'machine 0', exact: true }).count()) > 0;
  });
  await page.getByText('That is all.').waitFor();
  assert.equal(await entries.count(), 130);
});

test('what one may not do is not offered', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  receiver.answer = () => 400;
  const channel = await server.createWebhook('hook', receiver.url);
  await server.createAlert({ message: 'refused' });
  await until('it to fail', async () => (await countOf(server, 'FAILED')) === 1);

  for (const role of ['VIEWER', 'ANALYST']) {
    const { page, tried } = await openAs(t, server, '/channels', role);
    await page.locator('.channel-row').waitFor();
    assert.equal(await page.getByRole('checkbox').count(), 0);
    for (const name of ['New channel', 'Pause all']) assert.equal(await page.getByText(name).count(), 0, name);
    for (const name of ['Tokens', 'Audit']) assert.equal(await page.getByRole('link', { name }).count(), 0, name);
    await page.goto(`${server.url}/channels/${channel}?edit=1`);
    await page.getByRole('heading', { name: 'Health' }).waitFor();
    for (const name of ['Edit', 'Test', 'Deactivate']) assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
    for (const path of ['/tokens', '/audit']) {
      await page.goto(`${server.url}${path}`);
      await page.getByText('There is no such page').waitFor();
    }
    await page.goto(`${server.url}/deliveries`);
    await page.locator('.delivery-row').waitFor();
    const mayRetry = role === 'ANALYST';
    if (mayRetry) await page.getByRole('button', { name: 'Retry 1 failed' }).waitFor();
    assert.equal((await page.getByRole('button', { name: /^Retry/ }).count()) > 0, mayRetry);
    assert.deepEqual(tried.complaints, []);
  }
});

for (const [device, options] of [
  ['desk', {}],
  ['phone', { viewport: { width: 390, height: 800 }, hasTouch: true }],
]) {
  test(`axe finds nothing serious in the views: ${device}`, async (t) => {
    const server = await Server.start(t);
    const good = await Receiver.start(t);
    const bad = await Receiver.start(t);
    bad.answer = () => ({ status: 503, headers: {}, body: 'away' });
    const id = await server.createWebhook('Good one', good.url);
    await server.createWebhook('Bad one', bad.url);
    await server.createWebhook('Another service', 'https://discord.com/api/webhooks/1/a');
    await server.do('mutation { setChannelsActive(ids: [3], active: false) { id } createToken(input: { name: "machine", role: REPORTER }) { secret } revokeToken(id: 1) { id } }');
    await server.do('mutation { createToken(input: { name: "person", role: ANALYST, alertsPerMinute: 60 }) { secret } }');
    await server.do('mutation ($id: ID!) { updateChannel(id: $id, input: { minSeverity: MEDIUM, rateLimit: { perMinute: 30, burst: 5 } }) { id } }', { id });
    for (const severity of ['LOW', 'MEDIUM', 'HIGH']) await server.createAlert({ severity, message: `alert of ${severity}` });
    await until('the first attempts', async () => (await server.do('{ deliveries { nodes { attempts } } }')).deliveries.nodes.every(({ attempts }) => attempts > 0));
    assert.equal(await countOf(server, 'DELIVERED'), 2);
    await server.do('mutation { pauseNotifications(reason: "axe is at work") { since } }');
    const { page, tried } = await open(t, server, '/channels', { reducedMotion: 'reduce', ...options });
    const check = (what) => checkAccess(t, page, what);
    const at = async (path, seen) => {
      await page.goto(`${server.url}${path}`);
      await seen.waitFor();
    };
    await at('/channels', page.locator('.channel-row').first());
    await page.getByText('axe is at work').waitFor();
    await page.getByRole('checkbox', { name: 'Select Good one' }).check();
    await check('the channels');
    await press(page.getByRole('toolbar'), 'Delete');
    await dialog(page).waitFor();
    await check('a confirmation');
    await at('/channels', page.locator('.channel-row').first());
    await press(page, 'Who would be told?');
    await dialog(page).getByLabel('Alert type').fill('error');
    await press(dialog(page), 'Look');
    await dialog(page).locator('.routing-list').waitFor();
    await check('who would be told');
    await at(`/channels/${id}`, page.locator('.last-deliveries'));
    await check('a channel');
    await at(`/channels/${id}?edit=1`, page.getByRole('textbox', { name: 'URL' }));
    await page.getByRole('textbox', { name: 'URL' }).fill('nowhere');
    await press(page, 'Save');
    await page.locator('.fault:not(:empty)').first().waitFor();
    await check('the form');
    await at('/deliveries', page.locator('.delivery-row').first());
    await check('the deliveries');
    await page.locator('.delivery-row').filter({ hasText: 'Bad one' }).first().getByRole('link').click();
    await page.locator('.attempts li').first().waitFor();
    await check('a delivery');
    await at('/tokens?show=all', page.getByRole('row', { name: 'person' }));
    await check('the tokens');
    await press(page, 'New token');
    await dialog(page).waitFor();
    await check('a new token');
    await at('/audit', page.locator('.audit > li').first());
    await check('the audit log');
    assert.deepEqual(tried.complaints, []);
  });
}
