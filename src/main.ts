import { readEnv } from './config/env.ts';
import { ConfigError } from './config/problems.ts';
import { refusalOf } from './config/refusal.ts';
import { runCluster } from './server/cluster.ts';
import { runWeb } from './server/web.ts';
import { runWorker } from './server/worker.ts';

// A reason that cannot be written must not become another failure.
process.stderr.on('error', () => {});
// Nor must a welcome that nobody reads: the log has a way of its own.
process.stdout.on('error', () => {});

const role = process.argv[2] ?? 'web';
const env = readEnv();

try {
  if (role === 'worker') await runWorker(env);
  else if (role !== 'web') throw new ConfigError([`there is no process type ${role}; use web or worker`]);
  else if (!(await runCluster(env))) await runWeb(env);
} catch (error) {
  const { stack, message } = error as Error;
  // What nobody foresaw is ours to find: its stack is for those who ask for it.
  const unforeseen = /^(debug|trace)$/.test(env.LOG_LEVEL ?? '') ? stack : `it did not start: ${message}`;
  process.stderr.write(`${refusalOf(error) ?? unforeseen}\n`);
  process.exitCode = 1;
  // A failed start must not hang on a half-open pool.
  setTimeout(() => process.exit(1), 500).unref();
}
