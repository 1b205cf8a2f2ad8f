import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One changed line of the source that some test must notice. */
export interface Mutant {
  /** What would be wrong then, as an attacker or a caller sees it. */
  means: string;
  /** The text that is replaced, of one line. It stands once in all of src/: no file or line number is needed. */
  find: string;
  replace: string;
  /** For a text that several files have: another text that only the right one has. */
  beside?: string;
  /** The smallest test files that notice, each by the end of its path: `oauth/pkce.test.ts`. */
  tests: readonly string[];
}

/** For a list of mutants that the same test files notice. */
export const noticedBy =
  (...tests: string[]) =>
  (means: string, find: string, replace: string, { beside }: { beside?: string } = {}): Mutant => ({
    means,
    find,
    replace,
    tests,
    ...(beside === undefined ? {} : { beside }),
  });

/** A mutant whose file and tests are found. */
export interface Placed extends Mutant {
  file: string;
  testFiles: readonly string[];
}

/** Looks for texts and tests below `root`, the folder of the project. */
export function createPlacing(root: string) {
  const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => ({
    file,
    text: readFileSync(join(root, file), 'utf8'),
  }));
  const tests = globSync('test/**/*.test.ts', { cwd: root });

  /** The mutant with its places, or what is wrong with it in one sentence. */
  return function place(mutant: Mutant): Placed | string {
    const { find, replace, beside = '' } = mutant;
    if (find.includes('\n')) return 'its text is longer than one line';
    if (find === replace) return 'it changes nothing';
    const holders = sources.filter(({ text }) => text.includes(find) && text.includes(beside));
    const times = holders.reduce((sum, { text }) => sum + text.split(find).length - 1, 0);
    const [holder] = holders;
    if (!holder) return 'its text is gone from src/: write it as the line reads now, or remove it with its line';
    if (times > 1) return `its text stands ${times} times in src/: make it longer, or name a text beside it`;
    const testFiles: string[] = [];
    for (const end of mutant.tests) {
      const [file, another] = tests.filter((path) => path.endsWith(`/${end}`));
      if (file === undefined) return `there is no test ${end}`;
      if (another !== undefined) return `${end} is the end of more than one test's path`;
      testFiles.push(file);
    }
    if (testFiles.length === 0) return 'it names no test';
    return { ...mutant, file: holder.file, testFiles };
  };
}
