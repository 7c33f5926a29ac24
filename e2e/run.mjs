// Runs the tests on one binary: `npm test`, or `npm test -- protocol.test.mjs` for a file.
import { spawnSync } from 'node:child_process';
import { binary } from './binary.mjs';

const files = process.argv.slice(2);
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=3', ...files], {
  cwd: import.meta.dirname,
  stdio: 'inherit',
  env: { ...process.env, ALERTS_BIN: binary() },
});
process.exitCode = status ?? 1;
