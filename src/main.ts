import { readEnv } from './config/env.ts';
import { ConfigError } from './config/problems.ts';
import { AppError } from './kit/errors.ts';
import { runCluster } from './server/cluster.ts';
import { runWeb } from './server/web.ts';
import { runWorker } from './server/worker.ts';

// A reason that cannot be written must not become another failure.
process.stderr.on('error', () => {});

const role = process.argv[2] ?? 'web';
const env = readEnv();

/** A port that cannot be had is the operator's to mend. */
function listenProblem(error: unknown): string | null {
  const { code, syscall, port } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall !== 'listen' && syscall !== 'bind') return null;
  if (code === 'EADDRINUSE') return `PORT: ${port} is in use by another process`;
  if (code === 'EACCES') return `PORT: ${port} may not be used by this user; ports below 1024 need a privilege`;
  return null;
}

try {
  if (role === 'worker') await runWorker(env);
  else if (role !== 'web') throw new ConfigError([`there is no process type ${role}; use web or worker`]);
  else if (!(await runCluster(env))) await runWeb(env);
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else if (error instanceof AppError) process.stderr.write(`${error.public} (${error.internal ?? error.code})\n`);
  else process.stderr.write(`${listenProblem(error) ?? (error as Error).stack}\n`);
  process.exitCode = 1;
  // A failed start must not hang on a half-open pool.
  setTimeout(() => process.exit(1), 500).unref();
}
