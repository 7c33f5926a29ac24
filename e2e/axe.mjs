// What axe-core says of a page as it is shown.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// What moves, or changes its colour, has come to its end; an inherited colour does so level by level.
async function atRest() {
  for (let calm = 0; calm < 5; ) {
    await new Promise(requestAnimationFrame);
    calm = document.getAnimations().some((animation) => animation.effect.getTiming().iterations !== Infinity) ? 0 : calm + 1;
  }
}

// In light and in dark, which differ in colours alone. Fails when a finding is serious, or the page wider than its window.
export async function checkAccess(t, page, what) {
  for (const [colorScheme, options] of [['light', {}], ['dark', { runOnly: ['color-contrast'] }]]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(atRest);
    await page.evaluate(axe);
    const { violations } = await page.evaluate((options) => globalThis.axe.run(options), options);
    const said = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html, any }) => `${html} (${any.map(({ message }) => message).join(', ')})`).slice(0, 3).join(' | ')}`);
    for (const text of said) t.diagnostic(`${what}, ${colorScheme}: ${text}`);
    assert.deepEqual(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id }) => id), [], `${what}, ${colorScheme}: ${said.join('\n')}`);
  }
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} is wider than the window`);
}
