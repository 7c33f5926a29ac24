// Makes the pictures in docs/images anew from what the server really sends. Each module beside this one that is named
// *.picture.mjs makes some: it exports `async (t, browser) => …`, and uses shoot of common.mjs.
// `node run.mjs chats` makes those of chats.picture.mjs alone.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser } from './common.mjs';

const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.picture.mjs'))
  .filter((name) => wanted.length === 0 || wanted.includes(name.replace('.picture.mjs', '')))
  .sort();
if (files.length === 0) throw new Error(`there is no picture named ${wanted.join(' or ')}`);

for (const file of files) {
  const endings = [];
  const t = { after: (ending) => endings.push(ending) };
  try {
    const { default: make } = await import(join(import.meta.dirname, file));
    await make(t, await openBrowser(t));
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}
