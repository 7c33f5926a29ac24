import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { defineConfig } from 'vite';

const outDir = join(import.meta.dirname, '../dist');

// All but the page itself is kept compressed only: the binary carries it so. fflate, because zlib's output differs
// between processors and Node releases, and the same sources must give the same files everywhere.
const compress = {
  name: 'compress',
  closeBundle() {
    for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name === 'index.html') continue;
      const file = join(entry.parentPath, entry.name);
      writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9, mtime: 0 }));
      rmSync(file);
    }
  },
};

export default defineConfig({
  plugins: [compress],
  worker: { format: 'es' },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4096,
    rolldownOptions: { checks: { moduleLevelDirective: false } }, // 'use client' means nothing here
    license: { fileName: 'licenses.md' },
  },
  experimental: {
    // The page stands at both / and /playground, perhaps behind a proxy's prefix: relative addresses fit all of these.
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `playground/${filename}` : { relative: true }),
  },
});
