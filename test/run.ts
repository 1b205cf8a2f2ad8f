/**
 * `npm test`: every test, in as many mocha processes as pay on this machine. They share nothing: each starts the servers it needs.
 * With arguments, mocha alone with these. Writes the sum of their results to the file GATEHOUSE_TEST_RESULT names.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants, tmpdir } from 'node:os';
import { join } from 'node:path';

interface Result {
  passed: number;
  failed: number;
  pending: number;
}

/** About equally long. What is in no group goes with the first. */
const GROUPS = [/^test\/(?:integration|unit|storage|support|e2e\/examples)\//, /^test\/e2e\/(?!examples)/];
const MOCHA = join(import.meta.dirname, '..', 'node_modules', 'mocha', 'bin', 'mocha.js');

const given = process.argv.slice(2);
const files = globSync('test/**/*.test.ts').sort();
const groupOf = (file: string): number =>
  Math.max(0, availableParallelism() < 2 ? 0 : GROUPS.findIndex((group) => group.test(file)));
const shards = given.length > 0 ? [given] : Object.values(Object.groupBy(files, groupOf)).map((group) => group ?? []);

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'));
const running = shards.map((shard, index) => run(shard, join(folder, `${index}.json`), index === 0));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    for (const { child } of running) child.kill(signal);
    process.exitCode = 128 + constants.signals[signal];
  });
}
const results = await Promise.all(running.map(({ result }) => result));
rmSync(folder, { recursive: true, force: true });

const sum = (name: keyof Result): number => results.reduce((total, result) => total + result[name], 0);
const total: Result = { passed: sum('passed'), failed: sum('failed'), pending: sum('pending') };
if (process.env.GATEHOUSE_TEST_RESULT) {
  writeFileSync(process.env.GATEHOUSE_TEST_RESULT, `${JSON.stringify(total)}\n`);
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.pending} pending`);
process.exitCode ||= total.failed > 0 ? 1 : 0;

/** The first speaks at once, the others when they are done: two voices at a time nobody understands. */
function run(shard: readonly string[], file: string, aloud: boolean) {
  const child = spawn(process.execPath, [MOCHA, ...shard], {
    env: { ...process.env, GATEHOUSE_TEST_RESULT: file },
    stdio: ['ignore', aloud ? 'inherit' : 'pipe', aloud ? 'inherit' : 'pipe'],
  });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk));
  const result = new Promise<Result>((resolve) => {
    child.once('close', (code) => {
      process.stdout.write(Buffer.concat(said));
      resolve(read(file, code));
    });
  });
  return { child, result };
}

/** A process that ended without a result, or whose code says otherwise, has failed. */
function read(file: string, code: number | null): Result {
  let result: Result;
  try {
    result = JSON.parse(readFileSync(file, 'utf8')) as Result;
  } catch {
    return { passed: 0, failed: 1, pending: 0 };
  }
  return code === 0 || result.failed > 0 ? result : { ...result, failed: 1 };
}
