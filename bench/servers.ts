import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { atExit } from '../test/support/at-exit.ts';
import { freePort } from '../test/support/free-port.ts';
import { pinned } from './cores.ts';
import { type Fixture, ISSUER } from './fixtures.ts';

/** A process under measurement, alone on its core. */
export interface MeasuredServer {
  name: string;
  pid: number;
  port: number;
  paths: { token: string; introspect: string };
  stop(): Promise<void>;
}

export interface Gatehouse extends MeasuredServer {
  counters(): Promise<{ sql: number; redis: number }>;
}

export interface Databases {
  databaseUrl: string;
  redisUrl: string | null;
}

const SECRET = randomBytes(32).toString('base64url');
const START_SECONDS = 60;

/** The settings of an operator: production, TLS ended by a proxy on this machine, metrics on a port of their own. */
export function gatehouseEnv({ databaseUrl, redisUrl }: Databases): Record<string, string> {
  return {
    NODE_ENV: 'production',
    GATEHOUSE_AUTHORIZATIONS: '10000000',
    ISSUER,
    DATABASE_URL: databaseUrl,
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    GATEHOUSE_SECRETS: SECRET,
    GATEHOUSE_HOST: '127.0.0.1',
    GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
  };
}

export async function startGatehouse(
  databases: Databases,
  { env = {}, nodeOptions = [] }: { env?: Record<string, string>; nodeOptions?: string[] } = {},
): Promise<Gatehouse> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const main = fileURLToPath(new URL('../bin/start.js', import.meta.url));
  const settings = {
    ...gatehouseEnv(databases),
    PORT: String(port),
    GATEHOUSE_METRICS_PORT: String(metricsPort),
    ...env,
  };
  // Its log, one line a request at the default level, is written and goes nowhere.
  const child = start([process.execPath, ...nodeOptions, main], settings, 'ignore');
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/ready`).catch(() => null))?.status === 200;
  for (const deadline = Date.now() + START_SECONDS * 1000; !(await isReady()); await sleep(50)) {
    if (child.hasEnded() || Date.now() > deadline) throw new Error(`Gatehouse did not start:\n${child.errors()}`);
  }
  return {
    name: 'Gatehouse',
    pid: child.pid,
    port,
    paths: { token: '/oauth2/token', introspect: '/oauth2/introspect' },
    stop: child.stop,
    async counters() {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
      return { sql: read('gatehouse_sql_statements_total'), redis: read('gatehouse_redis_round_trips_total') };
    },
  };
}

/** The OAuth engine alone. */
export const startBaseline = (fixture: Fixture): Promise<MeasuredServer> =>
  startProgram('baseline-server.ts', {
    env: { BENCH_FIXTURE: JSON.stringify(fixture) },
    paths: { token: '/token', introspect: '/token/introspection' },
  });

/** Koa alone; it answers every path. */
export const startHello = (): Promise<MeasuredServer> =>
  startProgram('hello-server.ts', { env: {}, paths: { token: '/', introspect: '/' } });

async function startProgram(
  file: string,
  { env, paths }: { env: Record<string, string>; paths: MeasuredServer['paths'] },
): Promise<MeasuredServer> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = start([process.execPath, program], { NODE_ENV: 'production', ...env }, 'pipe');
  const port = await new Promise<number>((resolve, reject) => {
    child.process.once('exit', () => reject(new Error(`${file} did not start:\n${child.errors()}`)));
    child.process.stdout?.on('data', (text: Buffer) => resolve(Number(/^port (\d+)/.exec(text.toString())?.[1])));
  });
  return { name: 'baseline', pid: child.pid, port, paths, stop: child.stop };
}

function start(command: string[], env: Record<string, string>, stdout: 'ignore' | 'pipe') {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  const [program = '', ...args] = pinned(command);
  // taskset becomes the program it starts, so the process id is the program's.
  const child: ChildProcess = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', stdout, 'pipe'],
  });
  let errors = '';
  child.stderr?.on('data', (text: Buffer) => {
    errors = (errors + text.toString()).slice(-10_000);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  atExit(() => {
    if (!hasEnded()) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    process: child,
    pid: child.pid ?? 0,
    hasEnded,
    errors: () => errors,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
