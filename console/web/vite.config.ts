import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { defineConfig, type Plugin } from 'vite';

const outDir = join(import.meta.dirname, '../dist');

// All but the page itself is kept compressed only: the binary carries it so. fflate, because zlib's output differs
// between processors and Node releases, and the same sources must give the same files everywhere.
const compress: Plugin = {
  name: 'compress',
  apply: 'build',
  closeBundle() {
    for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name === 'index.html') continue;
      const file = join(entry.parentPath, entry.name);
      writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9, mtime: 0 }));
      rmSync(file);
    }
  },
};

// `npm run dev` has no server that fills in the way to the root.
const develop: Plugin = {
  name: 'develop',
  apply: 'serve',
  transformIndexHtml: (page) => page.replaceAll('__base__/', '/'),
};

// Where `npm run dev` finds the API.
const api = process.env.ALERTS_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [compress, develop],
  server: { proxy: { '/graphql': { target: api, ws: true }, '/session': api, '/playground': api, '/export': api } },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { moduleLevelDirective: false } }, // 'use client' means nothing here
    license: { fileName: 'licenses.md' },
  },
  experimental: {
    // The server fills in the way from each path of the page to the root, below whatever prefix a proxy has.
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `__base__/console/${filename}` : { relative: true }),
  },
});
