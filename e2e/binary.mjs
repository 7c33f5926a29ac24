import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

let built;

// The server to test: ALERTS_BIN, or else one that is built from the sources around, once per process.
export function binary() {
  if (process.env.ALERTS_BIN) return resolve(process.env.ALERTS_BIN);
  if (!built) {
    const dir = mkdtempSync(join(tmpdir(), 'alerts-bin-'));
    process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
    built = join(dir, 'alerts');
    execFileSync('go', ['build', '-o', built, '.'], { cwd: resolve(import.meta.dirname, '..'), stdio: 'inherit' });
  }
  return built;
}
