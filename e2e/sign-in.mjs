// What one does first in the console and in the playground.
export const signIn = async (page, text) => {
  await page.getByLabel('Token', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Sign in' }).click();
};
