/** Two nodes of two workers each on one database, with everything between them that faults need. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPortFetch, type PortFetch } from '../support/e2e-fetch.ts';
import { createWorld, type Node, type SetupName, type World } from '../support/e2e-world.ts';
import { freePort } from '../support/free-port.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { clockEnvironment } from './faults/clock.ts';
import { type Disk, mountDisk } from './faults/disks.ts';
import type { Database, Place } from './faults/fault.ts';
import type { Ledger, NodeName, ProcessEnd } from './ledger.ts';
import { SETTINGS } from './traffic/scene.ts';

export const SETUP_OF = {
  sqlite: 'SQLite',
  postgres: 'PostgreSQL and Redis',
  mariadb: 'MariaDB',
} as const satisfies Record<Database, SetupName>;

export const NODES: readonly NodeName[] = ['a', 'b'];
const WORKERS = '2';
const START_SECONDS = 60;
const DEATHS = /^.*"msg":"worker ended; starting another".*$/gm;
const FATAL = /^.*"level":"fatal".*$|^.*(?:Uncaught|UnhandledPromiseRejection).*$/gm;

export interface Deployment {
  readonly world: World;
  readonly place: Place;
  /** One for each node, good for its whole life and the next. */
  readonly fetches: Readonly<Record<NodeName, PortFetch>>;
  readonly sqlProxy: TcpProxy | null;
  readonly redisProxy: TcpProxy | null;
  readonly storeDisk: Disk | null;
  readonly logDisk: Disk | null;
  readonly clockFile: string | null;
  start(node: NodeName): Promise<void>;
  /** SIGKILL, to the node and its workers. */
  kill(node: NodeName): Promise<void>;
  killWorker(node: NodeName): void;
  /** SIGTERM, to the end. */
  stop(node: NodeName): Promise<void>;
  pause(node: NodeName): void;
  resume(node: NodeName): void;
  /** What both nodes wrote. */
  logs(): string;
  /** Enters into the ledger what the logs tell of deaths that nobody asked for. */
  readLogs(): void;
  close(): Promise<void>;
}

/** For suites of mocha it would be theirs: here nothing is skipped. */
const NO_SUITE = { timeout: () => 0, skip() {} } as unknown as Mocha.Context;

export async function deploy(place: Place, ledger: Ledger, { clock }: { clock: boolean }): Promise<Deployment> {
  const world = await createWorld(SETUP_OF[place.database], NO_SUITE, { env: SETTINGS });
  const { DATABASE_URL = '', REDIS_URL } = world.env;
  const sqlProxy = world.sql ? await startTcpProxy(Number(new URL(DATABASE_URL).port)) : null;
  const redisProxy = REDIS_URL ? await startTcpProxy(Number(new URL(REDIS_URL).port)) : null;
  const storeDisk = place.disks && world.sqliteFile ? mountDisk(join(world.folder, 'store')) : null;
  const logs = join(world.folder, 'logs');
  mkdirSync(logs);
  const logDisk = place.disks ? mountDisk(logs) : null;
  const clockFile = clock && place.clockLibrary ? join(world.folder, 'clock') : null;

  const common = {
    WEB_CONCURRENCY: WORKERS,
    ...(sqlProxy ? { DATABASE_URL: sqlProxy.through(DATABASE_URL) } : {}),
    ...(redisProxy && REDIS_URL ? { REDIS_URL: redisProxy.through(REDIS_URL) } : {}),
  };
  const ports = { a: world.issuerPort, b: await freePort() };
  const extra: Record<NodeName, Record<string, string>> = {
    a: {},
    b: clockFile && place.clockLibrary ? clockEnvironment(place.clockLibrary, clockFile) : {},
  };
  const logOf = (node: NodeName): string => join(logs, `${node}.log`);

  const running = new Map<NodeName, Node>();
  const asked = new Map<number, { how: 'kill' | 'stop'; atMs: number }>();
  let workersKilled = 0;
  let closing = false;

  function nodeOf(name: NodeName): Node {
    const node = running.get(name);
    if (!node) throw new Error(`${name} is not running`);
    return node;
  }

  const deployment: Deployment = {
    world,
    place,
    fetches: { a: createPortFetch(ports.a), b: createPortFetch(ports.b) },
    sqlProxy,
    redisProxy,
    storeDisk,
    logDisk,
    clockFile,
    async start(name) {
      const env = { ...common, ...extra[name], PORT: String(ports[name]) };
      const stdout = openSync(logOf(name), 'a');
      const node = await world.start({ env, stdout, readySeconds: START_SECONDS }).finally(() => closeSync(stdout));
      running.set(name, node);
      node.exited.then(({ code, signal }) => {
        if (closing) return;
        const request = asked.get(node.pid);
        const atMs = ledger.nowMs();
        const end: ProcessEnd = {
          node: name,
          atMs,
          asked: request?.how ?? null,
          code,
          signal,
          tookMs: request ? atMs - request.atMs : 0,
        };
        ledger.ended(end);
      });
    },
    async kill(name) {
      const node = nodeOf(name);
      asked.set(node.pid, { how: 'kill', atMs: ledger.nowMs() });
      // The primary first: on a busy machine it would still see its workers end, and say so in the log.
      killQuietly(node.pid);
      await node.kill();
    },
    killWorker(name) {
      const [worker] = childrenOf(nodeOf(name).pid);
      if (worker === undefined) return;
      workersKilled += 1;
      process.kill(worker, 'SIGKILL');
    },
    async stop(name) {
      const node = nodeOf(name);
      asked.set(node.pid, { how: 'stop', atMs: ledger.nowMs() });
      await node.stop().catch((error: Error) => ledger.trouble(`${name}: ${error.message.slice(0, 300)}`));
    },
    pause: (name) => nodeOf(name).pause(),
    resume: (name) => nodeOf(name).resume(),
    logs: () => [...NODES.map((name) => readFileSync(logOf(name), 'utf8')), world.logs()].join('\n'),
    readLogs() {
      const text = deployment.logs();
      const deaths = Array.from(text.matchAll(DEATHS), ([line]) => line);
      if (deaths.length > workersKilled) {
        ledger.trouble(`workers ended, of which ${workersKilled} were killed on purpose: ${deaths.join(' ')}`);
      }
      for (const [line] of text.matchAll(FATAL)) ledger.trouble(`the log has: ${line.slice(0, 300)}`);
    },
    async close() {
      closing = true;
      await Promise.all([sqlProxy?.restore(), redisProxy?.restore()]);
      for (const fetch of Object.values(deployment.fetches)) fetch.close();
      await Promise.all(Array.from(running.values(), (node) => node.kill()));
      storeDisk?.unmount();
      logDisk?.unmount();
      await world.close();
      await Promise.all([sqlProxy?.close(), redisProxy?.close()]);
    },
  };
  return deployment;
}

/** One that has ended by itself is in the ledger already. */
function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    // It has none.
    return [];
  }
}

/** Waits for both nodes to be ready and to write again; how long that took, in milliseconds, or null after `seconds`. */
export async function recover(check: (node: NodeName) => Promise<boolean>, seconds: number): Promise<number | null> {
  const started = performance.now();
  const until = started + seconds * 1000;
  // More than once, so that no connection of a pool is left out by luck alone.
  for (let rounds = 0; rounds < 3; ) {
    const fine = await Promise.all(NODES.map((node) => check(node).catch(() => false)));
    rounds = fine.every(Boolean) ? rounds + 1 : 0;
    if (performance.now() > until) return null;
    await sleep(rounds > 0 ? 50 : 200);
  }
  return performance.now() - started;
}
