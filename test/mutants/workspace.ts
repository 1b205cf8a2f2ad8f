import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How a run of test files ended. `broken`: mocha came to no result, so nothing was tested. */
export type Ending = 'passed' | 'failed' | 'broken' | 'hung';

/** A copy of the project to change and to test in; the project itself is never touched. */
export interface Workspace {
  test(files: readonly string[]): Promise<{ ending: Ending; output: string }>;
  /** The same with the text of one file replaced. */
  testWith(
    change: { file: string; find: string; replace: string },
    files: readonly string[],
  ): ReturnType<Workspace['test']>;
  remove(): void;
}

const HUNG_AFTER_MS = 300_000;

export function createWorkspace(root: string): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-mutants-'));
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const file of listed.toString().split('\0')) {
    if (file !== '' && existsSync(join(root, file))) cpSync(join(root, file), join(folder, file));
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const running = new Set<number>();

  async function test(files: readonly string[]): ReturnType<Workspace['test']> {
    const result = join(folder, 'mutants-result.json');
    rmSync(result, { force: true });
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
    // A group of its own: the servers that tests start end with it.
    const child = spawn(process.execPath, [mocha, '--bail', ...files], {
      cwd: folder,
      detached: true,
      env: { ...process.env, GATEHOUSE_TEST_RESULT: result },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      if (pid !== undefined) endGroup(pid);
    }, HUNG_AFTER_MS);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    if (pid !== undefined) running.delete(pid);
    return { ending: hung ? 'hung' : endingOf(result, code), output: Buffer.concat(said).toString() };
  }

  return {
    test,
    async testWith({ file, find, replace }, files) {
      const path = join(folder, file);
      const before = readFileSync(path, 'utf8');
      // A function: `$` in the new text means itself.
      writeFileSync(
        path,
        before.replace(find, () => replace),
      );
      try {
        return await test(files);
      } finally {
        writeFileSync(path, before);
      }
    },
    remove() {
      for (const pid of running) endGroup(pid);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function endingOf(result: string, code: number | null): Ending {
  if (!existsSync(result)) return 'broken';
  const { passed, failed } = JSON.parse(readFileSync(result, 'utf8')) as { passed: number; failed: number };
  if (failed > 0) return 'failed';
  return code === 0 && passed > 0 ? 'passed' : 'broken';
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
