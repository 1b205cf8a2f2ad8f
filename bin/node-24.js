/**
 * Runs what needs Node 24, whatever Node the machine has: in this process when it is new enough, otherwise on the Node 24 that
 * is installed beside the other packages. Plain JavaScript that old Nodes can read too.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const cache = fileURLToPath(new URL('../node_modules/.cache/gatehouse', import.meta.url));
const packaged = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

export const isNewEnough = () => Number(process.versions.node.split('.')[0]) >= OLDEST;

/** With Node's compile cache: the second start skips reading the types again, which takes half a second and 20 MB. */
export function useCompileCache() {
  module.enableCompileCache(cache);
}

/** @param {string} script below the root of the project */
export async function runOnNode24(script) {
  const url = new URL(`../${script}`, import.meta.url);
  if (isNewEnough()) {
    useCompileCache();
    await import(url.href);
  } else if (existsSync(packaged)) {
    handOver(packaged, fileURLToPath(url));
  } else {
    process.stderr.write(
      `gatehouse needs Node ${OLDEST} or newer; this is Node ${process.versions.node}, and the Node ${OLDEST} that its packages bring along is ` +
        'missing: run "npm ci" without --ignore-scripts.\n',
    );
    process.exitCode = 1;
  }
}

/** Streams, signals and the way it ends are the child's. */
function handOver(node, script) {
  const child = spawn(node, [script, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: cache, ...process.env },
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name);
    if (signal === null) process.exitCode = code ?? 1;
    // A shell then sees that a signal ended it, not an exit code.
    else if (!process.kill(process.pid, signal)) process.exitCode = 128 + constants.signals[signal];
  });
}
