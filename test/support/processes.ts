/** Gatehouse as its operator runs it: a process of its own, configured by its environment. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { atExit } from './at-exit.ts';
import { freePort } from './free-port.ts';

export interface GatehouseOptions {
  /** Everything Gatehouse gets to see, apart from PATH, HOME and TMPDIR. `PORT` is a free port unless given. */
  env?: Record<string, string>;
  /** Default: an empty folder, removed at the end, so that generated secrets never meet another test's. */
  cwd?: string;
  /** Arguments of `src/main.ts`. */
  args?: string[];
  /** What to wait for: HTTP 200 on this path, or output that matches. */
  readyWhen?: string | RegExp;
  readySeconds?: number;
  /** A descriptor instead of a pipe that is read, or a pipe that nobody reads. */
  stdout?: number | 'unread';
}

export interface Gatehouse {
  readonly pid: number;
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Resolves when the process ends; code is null when a signal ended it. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Everything written to stdout and stderr so far. */
  output(): string;
  /** Asks for an orderly end; resolves to the exit code, null when the signal itself ended the process. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends the process and its children at once. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Freezes the process and its children. */
  pause(): void;
  resume(): void;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const STOP_SECONDS = 30;

export async function startGatehouse(options: GatehouseOptions = {}): Promise<Gatehouse> {
  const { env = {}, args = [], readyWhen = '/ready', readySeconds = 60 } = options;
  const port = Number(env.PORT ?? (await freePort()));
  const url = `http://127.0.0.1:${port}`;
  const ownFolder = options.cwd === undefined ? mkdtempSync(join(tmpdir(), 'gatehouse-run-')) : undefined;

  // The Node that runs the tests, whatever else is on PATH; in a process group of its own, to reach its children.
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? ownFolder,
    env: { ...inherited('PATH', 'HOME', 'TMPDIR'), PORT: String(port), ...env },
    stdio: ['ignore', typeof options.stdout === 'number' ? options.stdout : 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [options.stdout === 'unread' ? null : child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  let ended = false;
  // 'close', not 'exit': the last output has arrived then.
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    if (options.stdout === 'unread') child.once('exit', () => child.stdout?.resume());
    child.once('close', (code, signal) => {
      ended = true;
      removeFolder();
      resolve({ code, signal });
    });
  });
  exited.catch(() => {});

  function signalGroup(signal: NodeJS.Signals): void {
    if (ended || child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  function removeFolder(): void {
    if (ownFolder) rmSync(ownFolder, { recursive: true, force: true });
  }
  atExit(() => {
    signalGroup('SIGKILL');
    removeFolder();
  });

  const gatehouse: Gatehouse = {
    pid: child.pid ?? 0,
    port,
    url,
    exited,
    output: () => output,
    async stop(signal = 'SIGTERM') {
      // To the process alone, as a service manager does it; ending its children is its own task.
      if (!ended) child.kill(signal);
      const end = await Promise.race([exited, sleep(STOP_SECONDS * 1000, undefined, { ref: false })]);
      if (end) return end.code;
      await gatehouse.kill();
      throw new Error(`Gatehouse did not end within ${STOP_SECONDS} s of ${signal}:\n${output}`);
    },
    async kill(signal = 'SIGKILL') {
      signalGroup(signal);
      await exited;
    },
    pause: () => signalGroup('SIGSTOP'),
    resume: () => signalGroup('SIGCONT'),
  };

  const deadline = Date.now() + readySeconds * 1000;
  while (!(await isReady())) {
    if (ended) throw new Error(`Gatehouse ended before it was ready:\n${output}`);
    if (Date.now() > deadline) {
      await gatehouse.kill();
      throw new Error(`Gatehouse was not ready in ${readySeconds} s:\n${output}`);
    }
    await sleep(50);
  }
  return gatehouse;

  async function isReady(): Promise<boolean> {
    if (ended) return false;
    if (readyWhen instanceof RegExp) return readyWhen.test(output);
    try {
      const response = await fetch(url + readyWhen, { signal: AbortSignal.timeout(5_000) });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  }
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
