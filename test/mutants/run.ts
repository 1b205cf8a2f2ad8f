/**
 * `npm run mutants`: changes one security-critical line at a time, in copies of the project, and runs the test files that
 * must notice. A mutant that no test notices, or whose text is gone, fails the run.
 *
 *   npm run mutants                     all of them
 *   npm run mutants -- --only dpop      those whose sentence, text or tests have `dpop` in them
 *   npm run mutants -- --jobs 1         one at a time (default: one for each core)
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTANTS } from './lists/index.ts';
import { createPlacing, type Placed } from './mutant.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

const root = join(import.meta.dirname, '..', '..');
const { values } = parseArgs({ options: { only: { type: 'string' }, jobs: { type: 'string' } } });
const jobs = Math.max(1, Number(values.jobs ?? availableParallelism()) || 1);
const wanted = (values.only ?? '').toLowerCase();

const problems: string[] = [];
const place = createPlacing(root);
const chosen: Placed[] = [];
for (const mutant of MUTANTS) {
  if (!JSON.stringify(mutant).toLowerCase().includes(wanted)) continue;
  const placed = place(mutant);
  if (typeof placed === 'string') problems.push(`${mutant.means}: ${placed}`);
  else chosen.push(placed);
}

const workspaces = Array.from({ length: jobs }, () => createWorkspace(root));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const workspace of workspaces) workspace.remove();
    process.exit(1);
  });
}
let killed = 0;
try {
  const failing = await failingTests(new Set(chosen.flatMap(({ testFiles }) => testFiles)));
  const waiting = chosen.filter(({ testFiles }) => testFiles.every((file) => !failing.has(file)));
  await Promise.all(workspaces.map((workspace) => work(workspace, waiting)));
} finally {
  for (const workspace of workspaces) workspace.remove();
}
for (const problem of problems) console.error(`\n${problem}`);
console.log(`\nmutants: ${killed} killed, ${problems.length} problems`);
process.exitCode = problems.length > 0 || killed === 0 ? 1 : 0;

/** A test that fails on the unchanged source would kill everything: it is a problem of its own. */
async function failingTests(files: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  console.log(`${chosen.length} mutants; first ${files.size} test files on the source as it is`);
  const failing = new Set<string>();
  const waiting = [...files];
  await Promise.all(
    workspaces.map(async (workspace) => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const { ending, output } = await workspace.test([file]);
        if (ending === 'passed') continue;
        failing.add(file);
        problems.push(`${file} ${ending} on the unchanged source:\n${output.slice(-2000)}`);
      }
    }),
  );
  return failing;
}

async function work(workspace: Workspace, waiting: Placed[]): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const startedMs = performance.now();
    const { ending, output } = await workspace.testWith(mutant, mutant.testFiles);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    if (ending === 'failed') {
      killed += 1;
      console.log(`killed    ${seconds} s  ${mutant.means}`);
      continue;
    }
    const word = ending === 'passed' ? 'SURVIVED' : ending.toUpperCase();
    console.log(`${word}  ${seconds} s  ${mutant.means}`);
    const { file, find, replace, testFiles } = mutant;
    const detail = ending === 'passed' ? '' : `\n${output.slice(-1500)}`;
    problems.push(
      `${word}: ${mutant.means}\n  ${file}\n  - ${find}\n  + ${replace}\n  ${testFiles.join(' ')}${detail}`,
    );
  }
}
