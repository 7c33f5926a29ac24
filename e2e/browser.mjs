// A real browser that cannot reach any other host, and what it tried.
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { patience, until } from './wait.mjs';

const switches = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: switches, timeout: patience });

// One for all tests of a file: each has a context of its own, which shares nothing with the others.
let browser;
after(async () => (await browser)?.close());

// A short message about what was done goes away by itself after a few seconds: all are kept here, in the page.
function keepToasts() {
  const said = (globalThis.toasts = []);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element && node.matches('.toast')) said.push(node.textContent);
  }).observe(document, { childList: true, subtree: true });
}

// Waits for a short message that has this text, or had it while nobody looked.
export async function toasted(page, text) {
  let said = [];
  await until(() => `the message "${text}"; there were ${JSON.stringify(said)}`, async () => {
    said = await page.evaluate(() => globalThis.toasts);
    return said.some((one) => one.includes(text));
  });
}

// `at` is where the page is found, unless that is the server itself.
export async function openBrowser(t, server, { at = server.url, ...options } = {}) {
  browser ??= launch();
  const context = await (await browser).newContext({ viewport: { width: 1360, height: 820 }, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(patience);
  await context.addInitScript(keepToasts);

  const tried = { foreign: [], api: [], addresses: [], sockets: [], complaints: [] };
  await context.route('**/*', (route) => {
    if (new URL(route.request().url()).origin === at) return route.continue();
    return route.abort();
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.protocol !== 'blob:' && url.origin !== at) tried.foreign.push(url.href);
    tried.addresses.push(url.href);
    if (url.pathname.endsWith('/graphql')) tried.api.push(request.postData() ?? '');
  });
  context.on('weberror', (error) => tried.complaints.push(String(error.error().stack)));
  const watch = (page) => {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) tried.complaints.push(message.text());
    });
    page.on('websocket', (socket) => {
      tried.sockets.push(socket.url());
      if (new URL(socket.url()).host !== new URL(at).host) tried.foreign.push(socket.url());
    });
    return page;
  };
  const openPage = async () => watch(await context.newPage());
  const page = await openPage();
  return { page, tried, context, openPage };
}
