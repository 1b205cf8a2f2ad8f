/** The command line as an operator uses it: the real binary, a process per command, on a database of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boot } from '../../../src/boot.ts';
import { createLog } from '../../../src/kit/log.ts';
import type { Services } from '../../../src/services.ts';

export const BINARY = fileURLToPath(new URL('../../../bin/gatehouse.js', import.meta.url));

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Standard output, all of it, as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what it is, is what the tests check
  json(): any;
}

export interface RunOptions {
  /** On top of the deployment's; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Standard input; closed at once without it. */
  input?: string;
  /** The Node that starts the binary. */
  node?: string;
}

export interface Deployment {
  folder: string;
  env: Record<string, string>;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Runs with --json and fails unless it succeeds; the result is parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: see Outcome
  json(args: readonly string[], options?: RunOptions): Promise<any>;
  /** The services on the same database, in this process. */
  services(env?: Record<string, string>): Promise<Services & AsyncDisposable>;
  /** Every byte of the database, to search for what must not be there. */
  databaseBytes(): string;
  remove(): void;
}

/** An empty folder with nothing generated yet. Commands run in it. */
export function createDeployment(extra: Record<string, string> = {}): Deployment {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'));
  const data = join(folder, 'data');
  const env = { DATABASE_URL: `sqlite:${join(data, 'gatehouse.sqlite')}`, GATEHOUSE_DATA_DIR: data, ...extra };

  async function run(args: readonly string[], { env: change = {}, input, node }: RunOptions = {}): Promise<Outcome> {
    const child = spawn(node ?? process.execPath, [BINARY, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, ...env, ...change },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A command that does not read its input may be gone before it is written.
    child.stdin.on('error', () => {}).end(input ?? '');
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    }
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    );
    return { code, ...output, json: () => JSON.parse(output.stdout) };
  }

  return {
    folder,
    env,
    run,
    async json(args, options) {
      const outcome = await run([...args, '--json'], options);
      if (outcome.code !== 0)
        throw new Error(`gatehouse ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr}`);
      return outcome.json();
    },
    services: (change = {}) =>
      boot({ ...env, ...change }, { log: createLog({ level: 'silent', destination: { write: () => {} } }) }),
    databaseBytes: () =>
      readdirSync(data)
        .filter((name) => name.startsWith('gatehouse.sqlite'))
        .map((name) => readFileSync(join(data, name), 'latin1'))
        .join(''),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
