// A mail in a real browser: readable in light and in dark, on a desk and on a phone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { realMails } from './pictures/mail.mjs';
import { patience } from './wait.mjs';

// What is wrong with a mail's look, in the page itself: text with too little contrast to its ground (WCAG 2.2, 1.4.3: 4.5), and what
// reaches beyond the window. Also how many texts were looked at, and the brightness of the ground.
function look() {
  const rgb = (css) => css.match(/[\d.]+/g).map(Number);
  const luminance = (css) => {
    const [r, g, b] = rgb(css).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const css = getComputedStyle(e).backgroundColor;
      if ((rgb(css)[3] ?? 1) === 1) return css;
    }
    return 'rgb(255, 255, 255)';
  };
  const wrong = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const words = walker.currentNode.data.trim();
    if (!words || !element.checkVisibility()) continue;
    texts++;
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) wrong.push(`${contrast.toFixed(2)} ${words.slice(0, 40)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide in ${innerWidth}`);
  return { wrong, texts, light: luminance(getComputedStyle(document.body).backgroundColor) };
}

test('mail is readable in light and in dark, and all about an alert is one thread', async (t) => {
  const mails = await realMails(t, 'LOW', 'MEDIUM', 'HIGH');
  const [mail, resolve] = mails.slice(-2);
  const words = 'DISK_FULL: /var/lib/postgresql has 412 MB left of 200 GB. Writes…';
  assert.equal(mail.header.subject, `Rustbucket Alert: ${words}`);
  assert.equal(resolve.header.subject, `Rustbucket Alert: RESOLVED: ${words}`);
  assert.ok(mail.header.references);
  assert.equal(mail.header.references, resolve.header.references);
  assert.equal(mail.header['in-reply-to'], resolve.header['in-reply-to']);
  assert.notEqual(mail.header['message-id'], resolve.header['message-id']);
  assert.ok(mail.text.includes('until_full') && mail.text.includes('https://alerts.example.com/alerts/3'));

  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'], timeout: patience });
  t.after(() => browser.close());
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ colorScheme, offline: true });
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    for (const width of [320, 800]) {
      await page.setViewportSize({ width, height: 600 });
      for (const { header, html } of mails) {
        const what = `${colorScheme}, ${width} wide: ${header.subject}`;
        await page.setContent(html);
        const { wrong, texts, light } = await page.evaluate(look);
        assert.deepEqual(wrong, [], what);
        assert.ok(texts >= 15, `${texts} texts were seen, ${what}`);
        assert.equal(light > 0.5, colorScheme === 'light', `the ground's luminance is ${light}, ${what}`);
        const button = await page.getByRole('link', { name: 'Open the alert' }).boundingBox();
        assert.ok(button.height >= 44 && (width > 480 || button.width > width / 2), `${JSON.stringify(button)}, ${what}`);
      }
    }
  }
});
