// What one does in the console and in the playground again and again.
import { until } from './wait.mjs';

export const signIn = async (page, text) => {
  await page.getByLabel('Token', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Sign in' }).click();
};

// Two keys that lead somewhere together. The second one is to follow soon: whoever was too slow presses both once more.
export const pressBoth = (page, first, second, url) =>
  until(`${first} ${second} to lead to ${url}`, async () => {
    await Promise.all([page.keyboard.press(first), page.keyboard.press(second)]);
    return page.waitForURL(url, { timeout: 1_000 }).then(() => true, () => false);
  });
