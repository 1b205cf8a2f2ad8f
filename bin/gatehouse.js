#!/usr/bin/env node
/**
 * Starts src/cli.ts on a Node that runs TypeScript, whatever Node the machine has: this process itself when it is new
 * enough, otherwise the Node 24 that is installed beside the other packages. Plain JavaScript, for old Nodes.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const cli = new URL('../src/cli.ts', import.meta.url);
const cache = fileURLToPath(new URL('../node_modules/.cache/gatehouse', import.meta.url));
const packaged = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= OLDEST) {
  module.enableCompileCache(cache);
  await import(cli.href);
} else if (existsSync(packaged)) {
  handOver(packaged);
} else {
  process.stderr.write(
    `gatehouse needs Node ${OLDEST} or newer; this is Node ${process.versions.node}.\n` +
      `Install Node ${OLDEST}, or run "npm install" with the development packages, which bring it along.\n`,
  );
  process.exitCode = 1;
}

/** Streams, signals and the way it ends are the child's. */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(cli), ...process.argv.slice(2)], {
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
