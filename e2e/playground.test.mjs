// The playground as a person uses it, in a real browser that cannot reach any other host.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBrowser } from './browser.mjs';
import { Server, token } from './server.mjs';
import { signIn } from './hands.mjs';
import { until, within } from './wait.mjs';

const runButton = (page) => page.locator('.graphiql-execute-button');
const openTab = (page, name) => page.getByRole('tab', { name }).click();
const answer = async (page) => (await page.locator('.graphiql-response .view-lines').innerText()).replaceAll('\u00a0', ' ');
const answers = (page, what) => until(`an answer with ${what}`, async () => (await answer(page)).includes(what));
const write = async (page, text) => {
  await page.locator('.graphiql-query-editor .view-lines').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(text);
};
const signedIn = (page) => page.getByRole('button', { name: 'Sign out' }).waitFor();
const signedOut = (page) => page.getByLabel('Token', { exact: true }).waitFor();
// The one cookie that the browser may have.
async function sessionCookie(context) {
  const cookies = await context.cookies();
  assert.equal(cookies.length, 1, JSON.stringify(cookies));
  return cookies[0];
}
// What the page can get at of what the browser keeps, as text.
const kept = (page) =>
  page.evaluate(async () => ({
    local: JSON.stringify({ ...localStorage }),
    session: JSON.stringify({ ...sessionStorage }),
    cookies: document.cookie,
    databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length,
  }));

async function keepsNoSecret(page, secret = token) {
  const { local, session, cookies, databases, caches } = await kept(page);
  assert.deepEqual({ local, cookies, databases, caches }, { local: '{}', cookies: '', databases: 0, caches: 0 });
  assert.ok(!page.url().includes(secret), 'the token is in the address');
  assert.ok(!session.includes(secret), 'the token is kept in the tab');
  return session;
}

test('the playground works with no internet, and one token opens it', async (t) => {
  const server = await Server.start(t);
  const { page, tried, context } = await openBrowser(t, server, { colorScheme: 'light' });

  const response = await page.goto(`${server.url}/playground`);
  assert.equal(response.status(), 200);
  assert.equal(await page.title(), 'Rustbucket Alerts: playground');
  assert.equal(await page.getByLabel('Token', { exact: true }).getAttribute('type'), 'password');
  await page.waitForLoadState('networkidle');
  assert.deepEqual(tried.api, [], 'the API was asked before anybody signed in');

  await signIn(page, token);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  assert.match(await page.locator('.viewer').innerText(), /ADMIN/);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await until('the introspection', () => tried.api.some((body) => body.includes('__schema')));

  // A query that is written by hand.
  await page.getByRole('button', { name: /new tab/i }).click();
  await write(page, 'query Who { viewer { name role } }');
  await page.keyboard.press('ControlOrMeta+Enter');
  await answers(page, '"role": "ADMIN"');

  // The mutation that the page suggests.
  await openTab(page, 'CreateAlert');
  await runButton(page).click();
  await answers(page, '"createAlert"');
  const { alerts } = await server.do('{ alerts { nodes { id type } } }');
  assert.deepEqual(alerts.nodes.map(({ type }) => type), ['error']);

  // Its subscription.
  await openTab(page, 'Feed');
  await runButton(page).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await until('an event in the page', async () => {
    await server.createAlert({ message: 'seen in the playground' });
    return (await answer(page)).includes('seen in the playground');
  });
  assert.deepEqual([...new Set(tried.sockets)], [server.socketURL]); // one that was silent for too long is made anew

  await page.getByRole('button', { name: /documentation explorer/i }).first().click();
  await page.getByText('Scripts and machines create alerts').waitFor();
  const picture = join(tmpdir(), `alerts-playground-${process.pid}.png`);
  await page.screenshot({ path: picture });
  t.diagnostic(`screenshot: ${picture}`);
  await keepsNoSecret(page);
  const cookie = await sessionCookie(context);
  const { name, path, httpOnly, sameSite, secure } = cookie;
  assert.deepEqual({ name, path, httpOnly, sameSite, secure }, { name: 'rustbucket-alerts', path: '/', httpOnly: true, sameSite: 'Strict', secure: false });

  await page.reload();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await openTab(page, 'Alerts');
  await runButton(page).click();
  await answers(page, '"totalCount"');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token', { exact: true }).waitFor();
  assert.equal(await keepsNoSecret(page), '{}');
  assert.deepEqual(await context.cookies(), []);
  await page.reload();
  await signedOut(page);

  for (const secret of [token, cookie.value]) {
    assert.ok(!tried.addresses.some((address) => address.includes(secret)), 'a secret was in an address');
    assert.ok(!server.log.includes(secret), 'a secret is in the log');
  }
  assert.deepEqual(tried.foreign, [], 'another host was asked for');
  assert.deepEqual(tried.complaints, [], 'the console complains');
});

test('the page is dark where the system is', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await openBrowser(t, server, { colorScheme: 'dark' });
  await page.goto(`${server.url}/playground`);
  await signIn(page, `Authorization: Bearer ${token}`); // pasted whole
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  const brightness = await page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return (red + green + blue) / 3;
  });
  assert.ok(brightness < 80, `the ground's brightness is ${brightness}`);
  const picture = join(tmpdir(), `alerts-playground-dark-${process.pid}.png`);
  await page.screenshot({ path: picture });
  t.diagnostic(`screenshot: ${picture}`);
  assert.deepEqual(tried.foreign, []);
  assert.deepEqual(tried.complaints, []);
});

test('a wrong token is told clearly and not kept', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await openBrowser(t, server);
  await page.goto(`${server.url}/playground`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Enter a token first.').waitFor();
  for (const wrong of ['wrong', 'wróng']) {
    await signIn(page, wrong);
    await page.getByText('This token is not valid').waitFor();
    assert.equal(await keepsNoSecret(page), '{}');
  }
  assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0);
  assert.ok(!tried.api.some((body) => body.includes('__schema')), 'the schema was asked for');
  await signIn(page, token);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  // The browser itself notes the one refusal that the server made.
  assert.deepEqual(tried.complaints.filter((text) => !text.includes('401')), []);
});

test('a subscription in the page comes back after a restart', async (t) => {
  const server = await Server.start(t);
  const { page } = await openBrowser(t, server);
  await page.goto(`${server.url}/playground`);
  await signIn(page, token);
  await openTab(page, 'Feed');
  await runButton(page).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await server.stop();
  await page.getByText('Connection lost').waitFor();
  await server.start();
  await page.getByText('Live', { exact: true }).waitFor();
  await until('an event in the page', async () => {
    await server.createAlert({ message: 'after the restart' });
    return (await answer(page)).includes('after the restart');
  });
});

test('a tab that is opened before the editors are loaded runs its own text', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await openBrowser(t, server);
  let load;
  const asked = new Promise((seen) => {
    const loaded = new Promise((done) => (load = done));
    page.route('**/monaco-editor-*.js', async (route) => {
      seen();
      await loaded;
      await route.continue();
    });
  });
  await page.goto(`${server.url}/playground`);
  await signIn(page, token);
  await within('the page to ask for its editors', asked);
  // Not by role: what cannot be used yet has none.
  const tab = page.locator('.graphiql-tab', { hasText: 'Alerts' });
  await tab.waitFor();
  await tab.getByText('Alerts').press('Enter'); // the keyboard does not ask where the mouse may go
  assert.equal(await page.locator('.graphiql-tab-active').innerText(), 'CreateAlert');
  const opened = tab.click();
  load();
  await opened;
  await runButton(page).click();
  await answers(page, '"totalCount"');
  assert.deepEqual(tried.api.filter((body) => body.includes('mutation CreateAlert')), [], 'the tab before was run');
});

test('nothing that was typed is kept after signing out', async (t) => {
  const server = await Server.start(t);
  const { page } = await openBrowser(t, server);
  await page.clock.install();
  await page.goto(`${server.url}/playground`);
  await signIn(page, token);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.clock.pauseAt(Date.now() + 60_000);
  await openTab(page, 'Alerts');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token', { exact: true }).waitFor();
  await page.clock.runFor(5_000); // what the editors still meant to save
  assert.equal(await keepsNoSecret(page), '{}');
});

test('a token that is revoked signs the page out', async (t) => {
  const server = await Server.start(t, {});
  const { page } = await openBrowser(t, server);
  await page.goto(`${server.url}/playground`);
  await signIn(page, token);
  await openTab(page, 'Alerts');
  await server.stop();
  server.env = { ADMIN_TOKEN: `another-${token}` };
  await server.start();
  await runButton(page).click();
  await page.getByText('no longer accepts your session').waitFor();
  await signedOut(page);
  await keepsNoSecret(page);
  await page.reload();
  await signedOut(page);
});

test('a token that is revoked signs the page out by itself while it listens', async (t) => {
  const server = await Server.start(t);
  const secret = (await server.command('token', 'create', '--name', 'short', '--role', 'VIEWER')).trim();
  const { page } = await openBrowser(t, server);
  await page.goto(`${server.url}/playground`);
  await signIn(page, secret);
  await openTab(page, 'Feed');
  await runButton(page).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await server.command('token', 'revoke', 'short');
  await page.getByText('no longer accepts your session').waitFor();
  await keepsNoSecret(page, secret);
});

test('all tabs are signed in and out together', async (t) => {
  const server = await Server.start(t);
  const { page, tried, context, openPage } = await openBrowser(t, server);
  const viewer = (await server.command('token', 'create', '--name', 'viewer', '--role', 'VIEWER')).trim();
  const second = await openPage();
  for (const tab of [page, second]) await tab.goto(`${server.url}/playground`);
  await signedOut(second);
  await signIn(page, token);
  await signedIn(second);
  const third = await openPage();
  await third.goto(`${server.url}/playground`);
  await signedIn(third);
  await openTab(second, 'Alerts');
  await runButton(second).click();
  await answers(second, '"totalCount"');
  await until('what was typed to be kept', async () => (await keepsNoSecret(second)) !== '{}');

  await third.getByRole('button', { name: 'Sign out' }).click();
  for (const tab of [page, second, third]) {
    await signedOut(tab);
    assert.equal(await keepsNoSecret(tab), '{}');
  }
  assert.deepEqual(await context.cookies(), []);

  await signIn(second, viewer);
  await signedIn(page);
  assert.match(await page.locator('.viewer').innerText(), /viewer VIEWER/);
  assert.deepEqual(tried.complaints, []);
});

test('who signs out while the server is away is told that it did not work', async (t) => {
  const server = await Server.start(t);
  const { page, context } = await openBrowser(t, server);
  await page.goto(`${server.url}/playground`);
  await signIn(page, token);
  await signedIn(page);
  await server.stop();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are still signed in. The server does not answer.').waitFor();
  await sessionCookie(context);
  await server.start();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signedOut(page);
  assert.deepEqual(await context.cookies(), []);
});

test('a link with a query opens it in a tab of its own, and runs nothing', async (t) => {
  const server = await Server.start(t);
  const { page, tried } = await openBrowser(t, server);
  const id = await server.createAlert({ message: 'linked to' });
  const query = 'query ShowAlert($id: ID!) {\n  alert(id: $id) {\n    message\n  }\n}\n';
  const link = (alert) => `${server.url}/playground?${new URLSearchParams({ query, variables: `{"id": "${alert}"}` })}`;
  const asked = () => tried.api.filter((body) => body.includes('ShowAlert'));
  const addresses = [];
  page.on('framenavigated', (frame) => addresses.push(frame.url()));

  // By somebody who is not signed in yet.
  await page.goto(link(id));
  assert.match(page.url(), /\/playground\?/);
  await page.reload();
  await signIn(page, token);
  const tab = page.locator('.graphiql-tab-active', { hasText: 'ShowAlert' });
  await tab.waitFor();
  await until('the address to be short again', () => page.url() === `${server.url}/playground`);
  await until('the query to be in the editor', async () => /ShowAlert/.test(await page.locator('.graphiql-query-editor').innerText()));
  assert.deepEqual(asked(), [], 'the query was run by itself');
  assert.ok((await page.locator('.graphiql-tab').count()) > 3, 'the examples are gone');
  await runButton(page).click();
  await answers(page, '"linked to"');
  assert.equal(JSON.parse(asked()[0]).variables.id, id);

  // And once more, with tabs that are open already: they stay, and so does it after a reload.
  const tabs = await page.locator('.graphiql-tab').count();
  const other = await server.createAlert({ message: 'linked to later' });
  await page.goto(link(other));
  await tab.waitFor();
  await until('the address to be short again', () => page.url() === `${server.url}/playground`);
  assert.equal(await page.locator('.graphiql-tab').count(), tabs + 1);
  assert.equal(asked().length, 1, 'the query was run by itself');
  await runButton(page).click();
  await answers(page, '"linked to later"');
  const saved = (variables) => {
    const { tabs } = JSON.parse(sessionStorage.getItem('graphiql:tabState') ?? '{"tabs":[]}');
    return tabs.some((kept) => kept.variables === variables);
  };
  await until('the page to save its tabs', () => page.evaluate(saved, `{"id": "${other}"}`));
  await page.reload();
  await tab.waitFor();
  assert.equal(await page.locator('.graphiql-tab').count(), tabs + 1);

  assert.ok(addresses.length > 3 && !addresses.some((address) => address.includes(token)), 'the token was in an address');
  assert.deepEqual(tried.foreign, []);
  assert.deepEqual(tried.complaints, []);
});
