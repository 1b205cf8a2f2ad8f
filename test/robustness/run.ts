/**
 * `npm run robustness`: a mixed load on two processes of two workers each, faults drawn from a seed, and a judge over what every
 * client was told. docs/robustness.md has its options.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canRun } from '../support/e2e-world.ts';
import { requireAll, stopParts } from '../support/requirements.ts';
import { SETUP_OF } from './deployment.ts';
import { FAULTS } from './faults/all.ts';
import { findClockLibrary } from './faults/clock.ts';
import { canMountDisks } from './faults/disks.ts';
import { DATABASES, type Place } from './faults/fault.ts';
import { isUnanswered, succeeded } from './ledger.ts';
import { type Options, readOptions, replayOf } from './options.ts';
import { runOnDatabase, type Verdict } from './run-database.ts';
import { describeRound, drawSchedule } from './schedule.ts';

/** Of one kind. */
const MOST_SHOWN = 5;

const options = choose();
const { minutes, databases, seed } = options;
const faults = FAULTS.filter(
  ({ name }) => options.faults.length === 0 || options.faults.some((text) => name.includes(text)),
);
const place = { disks: canMountDisks(), clockLibrary: findClockLibrary() };
console.log(`seed ${seed}: the same schedule again with npm run robustness -- ${replayOf(options)}`);

let violations = 0;
for (const database of databases) {
  const here: Place = { ...place, database, redis: database === 'postgres' };
  const seconds = (minutes * 60) / databases.length;
  const schedule = drawSchedule({ seed, place: here, seconds, faults });
  console.log(`\n${SETUP_OF[database]}, two processes of two workers:`);
  for (const reason of schedule.leftOut) console.log(`  left out: ${reason}`);
  for (const round of schedule.rounds) console.log(`  planned ${describeRound(round)}`);
  const verdict = await runOnDatabase(here, schedule, seed);
  report(verdict);
  if (verdict.violations.length > 0) console.log(`  what every client was told: ${keep(database, verdict)}`);
  violations += verdict.violations.length;
}
await stopParts();
console.log(violations === 0 ? '\neverything holds' : `\n${violations} violations, with seed ${seed}`);
process.exitCode = violations === 0 ? 0 : 1;

function report({ violations: found, history, errors }: Verdict): void {
  const { calls } = history;
  const count = (text: string, holds: (call: (typeof calls)[number]) => boolean): string =>
    `${calls.filter(holds).length} ${text}`;
  console.log(
    `  ${[
      `${calls.length} requests`,
      count('answered with success', succeeded),
      count('without an answer or with 503', isUnanswered),
      count('probes', ({ probes }) => probes !== undefined),
    ].join(', ')}`,
  );
  for (const [operation, all] of Map.groupBy(calls, (call) => call.operation)) {
    const outcomes = Object.entries(Object.groupBy(all, outcomeOf)).map(
      ([outcome, ones]) => `${outcome} ×${ones?.length}`,
    );
    console.log(`    ${operation}: ${outcomes.join(', ')}`);
  }
  for (const [line, times] of Object.entries(errors)) console.log(`    log, error ×${times}: ${line}`);
  for (const [rule, ones] of Map.groupBy(found, (violation) => violation.rule)) {
    console.log(`  VIOLATION ×${ones.length}: ${rule}`);
    for (const { seen } of ones.slice(0, MOST_SHOWN)) console.log(`    ${seen}`);
  }
}

/** It holds names and times, no credential. */
function keep(database: string, { history }: Verdict): string {
  const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-robustness-')), `${database}.json`);
  writeFileSync(file, JSON.stringify(history));
  return file;
}

function outcomeOf({ outcome }: Verdict['history']['calls'][number]): string {
  return outcome.kind === 'answer' ? String(outcome.status) : outcome.kind;
}

function choose(): Options {
  const installed = DATABASES.filter((name) => canRun(SETUP_OF[name]));
  const left = DATABASES.filter((name) => !installed.includes(name)).map((name) => SETUP_OF[name]);
  if (left.length > 0 && requireAll) stop(1, `not installed: ${left.join('; ')}`);
  if (left.length > 0) console.log(`not installed, and left out: ${left.join('; ')}`);
  try {
    return readOptions(process.argv.slice(2), installed);
  } catch (error) {
    return stop(2, (error as Error).message);
  }
}

function stop(code: number, reason: string): never {
  console.error(reason);
  process.exit(code);
}
