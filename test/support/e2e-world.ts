/** One deployment of Gatehouse for a suite: a store of its own, an issuer, secrets, and as many processes as the suite starts. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import knex from 'knex';
import { boot } from '../../src/boot.ts';
import { createLog } from '../../src/kit/log.ts';
import type { Services } from '../../src/services.ts';
import { knexConfig } from '../../src/storage/sql/knex-config.ts';
import { atExit } from './at-exit.ts';
import { createPortFetch, type Fetch } from './e2e-fetch.ts';
import { freePort } from './free-port.ts';
import { type Gatehouse, type GatehouseOptions, startGatehouse } from './processes.ts';
import { isAvailable, type PartName, requirePart } from './requirements.ts';
import { type RedisServer, startRedis } from './servers/redis.ts';
import type { SqlServer } from './servers/sql-server.ts';

export const SETUPS = {
  SQLite: { sql: 'sqlite', redis: false },
  'SQLite and Redis': { sql: 'sqlite', redis: true },
  PostgreSQL: { sql: 'postgres', redis: false },
  'PostgreSQL and Redis': { sql: 'postgres', redis: true },
  MariaDB: { sql: 'mariadb', redis: false },
  'MariaDB and Redis': { sql: 'mariadb', redis: true },
} as const;

export type SetupName = keyof typeof SETUPS;
export const ALL_SETUPS = Object.keys(SETUPS) as SetupName[];
/** The smallest and the largest set-up: what does not depend on the database's dialect runs on these. */
export const TWO_SETUPS = ['SQLite', 'PostgreSQL and Redis'] as const satisfies SetupName[];

/** A process of the world. `fetch` reaches it under the issuer's name, whatever port it listens on. */
export interface Node extends Gatehouse {
  readonly fetch: Fetch;
}

/** How a process that came to its end did so. */
export interface RunResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface World {
  readonly name: SetupName;
  readonly issuer: string;
  /** What every process of the world is started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly secret: string;
  readonly sqliteFile: string | null;
  readonly sql: SqlServer | null;
  readonly redis: RedisServer | null;
  /** The first process gets the issuer's port, and so does one that is started with `{ PORT: issuerPort }`. */
  start(options?: GatehouseOptions & { ca?: string }): Promise<Node>;
  readonly issuerPort: number;
  /** Starts the server where it must refuse to; resolves when it has ended. */
  startInVain(env: Record<string, string>): Promise<RunResult>;
  /** Runs `gatehouse …` in the world's environment. */
  cli(args: string[], options?: { env?: Record<string, string>; input?: string }): Promise<RunResult>;
  /** The same with `--json`; rejects when it fails. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has a shape of its own
  cliJson(args: string[], options?: { env?: Record<string, string>; input?: string }): Promise<any>;
  /** A folder for files of the suite. */
  readonly folder: string;
  /** The server's services in this process, on the same stores: for set-up and for looking inside. */
  services(): Promise<Services>;
  /** Rows of the SQL database, read behind the server's back. */
  query<R>(sql: string): Promise<R[]>;
  /** Every byte the stores keep, as text. */
  dump(): Promise<string>;
  /** What all processes have written so far. */
  logs(): string;
  /** Ends every process at once and closes the services. */
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Settings of every process. */
  env?: Record<string, string>;
  /** A Redis server of its own, which the suite may kill. */
  ownRedis?: boolean;
  https?: boolean;
}

/** Redis has 16 databases; a suite empties the one it takes. */
let redisDatabases = 0;
/** What `npm start` uses: the tests start many processes. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/gatehouse', import.meta.url));

const log = createLog({ level: 'silent' });

/** Whether the machine has the servers of a set-up. */
export const canRun = (name: SetupName): boolean => partsOf(name).every(isAvailable);

function partsOf(name: SetupName): PartName[] {
  const { sql, redis } = SETUPS[name];
  return [...(sql === 'sqlite' ? [] : [sql]), ...(redis ? (['redis'] as const) : [])];
}

/** Its shared servers; skips the suite or test when one is not installed. */
export async function requireSetup(
  name: SetupName,
  context: Mocha.Context,
): Promise<{ sql: SqlServer | null; redis: RedisServer | null }> {
  const { sql, redis } = SETUPS[name];
  return {
    sql: sql === 'sqlite' ? null : await requirePart(sql, context),
    redis: redis ? await requirePart('redis', context) : null,
  };
}

/** For a `before` hook; skips the suite when a server it needs is not installed. */
export async function createWorld(
  name: SetupName,
  context: Mocha.Context,
  { env: extra = {}, ownRedis = false, https = false }: WorldOptions = {},
): Promise<World> {
  const setup = SETUPS[name];
  const { sql, redis: sharedRedis } = await requireSetup(name, context);

  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-world-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  const redis = ownRedis && sharedRedis ? await startRedis() : sharedRedis;
  if (redis) redisDatabases += 1;
  const sqliteFile = sql ? null : join(folder, 'store', 'gatehouse.sqlite');
  const sqlUrl = sql ? await sql.createDatabase() : `sqlite:${sqliteFile}`;

  const issuerPort = await freePort();
  const issuer = `${https ? 'https' : 'http'}://localhost:${issuerPort}`;
  const secret = randomBytes(32).toString('base64');
  const env = {
    ISSUER: issuer,
    DATABASE_URL: sqlUrl,
    ...(redis ? { REDIS_URL: `${redis.url}/${redisDatabases % 16}` } : {}),
    GATEHOUSE_SECRETS: secret,
    GATEHOUSE_DATA_DIR: folder,
    NODE_COMPILE_CACHE: compileCache,
    LOG_LEVEL: 'info',
    ...extra,
  };

  const nodes: Node[] = [];
  let services: Promise<Services & AsyncDisposable> | undefined;
  let started = 0;

  const world: World = {
    name,
    folder,
    issuer,
    env,
    secret,
    sqliteFile,
    sql,
    redis,
    issuerPort,
    async start({ ca, ...options } = {}) {
      started += 1;
      const port = options.env?.PORT ?? String(started === 1 ? issuerPort : await freePort());
      const gatehouse = await startGatehouse({ ...options, env: { ...env, ...options.env, PORT: port } });
      const { fetch, close } = createPortFetch(gatehouse.port, ca === undefined ? {} : { ca });
      gatehouse.exited.then(close, () => {});
      const node = Object.assign(gatehouse, { fetch });
      nodes.push(node);
      return node;
    },
    startInVain: (vain) => run([MAIN], folder, { ...env, ...vain, PORT: String(issuerPort) }),
    cli: (args, options = {}) => run([CLI, ...args], folder, { ...env, ...options.env }, options.input),
    async cliJson(args, options) {
      const { code, stdout, stderr } = await world.cli(['--json', ...args], options);
      if (code !== 0) throw new Error(`gatehouse ${args.join(' ')} ended with ${code}:\n${stderr}`);
      return JSON.parse(stdout);
    },
    services() {
      services ??= boot(env, { log });
      return services;
    },
    async query<R>(statement: string): Promise<R[]> {
      const db = knex(knexConfig({ databaseUrl: sqlUrl }));
      try {
        const answer = await db.raw(statement);
        return setup.sql === 'postgres' ? answer.rows : setup.sql === 'mariadb' ? answer[0] : answer;
      } finally {
        await db.destroy();
      }
    },
    async dump() {
      const files = sqliteFile ? ['', '-wal', '-shm', '-journal'].map((suffix) => sqliteFile + suffix) : [];
      const bytes = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'latin1'));
      return [...bytes, sql ? await sql.dump(sqlUrl) : '', redis ? await redis.dump() : ''].join('\n');
    },
    logs: () => nodes.map((node) => node.output()).join('\n'),
    async close() {
      await Promise.all(nodes.map((node) => node.kill()));
      await (await services?.catch(() => undefined))?.[Symbol.asyncDispose]();
      if (ownRedis) await redis?.stop();
      else await redis?.flush().catch(() => {});
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const CLI = fileURLToPath(new URL('../../bin/gatehouse.js', import.meta.url));
const RUN_SECONDS = 20;

function run(args: string[], cwd: string, env: Record<string, string>, input = ''): Promise<RunResult> {
  const { PATH = '', HOME = '' } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env: { PATH, HOME, ...env }, timeout: RUN_SECONDS * 1000 });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
    child.stdin.end(input);
  });
}

/** For suites on several set-ups. */
export function describeOn(names: readonly SetupName[], title: string, suite: (name: SetupName) => void): void {
  for (const name of names) describe(`${title}, on ${name}`, () => suite(name));
}
