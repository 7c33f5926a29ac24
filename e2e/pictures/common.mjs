// What the pictures have in common: the browser, and where they go.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const images = join(import.meta.dirname, '../../docs/images');
const maxBytes = 100_000;

export async function openBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  t.after(() => browser.close());
  return browser;
}

// Takes a picture of an HTML page, or of its element #picture where it has one. The page reaches no network.
// script runs in the page with `data`; what it needs is bundled into it.
export async function shoot(browser, name, { html, script, data, width = 640, colorScheme = 'light' }) {
  const context = await browser.newContext({ viewport: { width, height: 400 }, deviceScaleFactor: 1.5, colorScheme, locale: 'en-GB', timezoneId: 'UTC', offline: true });
  try {
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error));
    await page.setContent(html, { waitUntil: 'load' });
    if (script) {
      await page.evaluate((value) => (globalThis.data = value), data);
      await page.addScriptTag({ content: await bundle(script) });
      await page.waitForFunction(() => globalThis.drawn);
    }
    await page.evaluate(() => document.fonts.ready);
    if (errors.length > 0) throw errors[0];
    mkdirSync(images, { recursive: true });
    const path = join(images, `${name}.png`);
    const element = page.locator('#picture');
    await ((await element.count()) > 0 ? element.screenshot({ path }) : page.screenshot({ path, fullPage: true }));
    const { size } = statSync(path);
    if (size > maxBytes) throw new Error(`${name}.png has ${size} bytes; at most ${maxBytes} are wanted`);
    console.log(`docs/images/${name}.png, ${size} bytes`);
  } finally {
    await context.close();
  }
}

async function bundle(file) {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, file)],
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    loader: { '.css': 'text' },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
  return outputFiles[0].text;
}
