/**
 * What a test needs of the machine. Every part is started at most once per test process and stopped at its end
 * (test/support/hooks.ts). A missing part skips the suite; with GATEHOUSE_TEST_REQUIRE_ALL=1 it fails instead.
 */
import { chromiumAvailable, launchChromium } from './chromium.ts';
import { caddyAvailable, startCaddy } from './servers/caddy.ts';
import { fastapiAvailable, startFastapi } from './servers/fastapi.ts';
import { mariadbAvailable, startMariadb } from './servers/mariadb.ts';
import { nginxAvailable, startNginx } from './servers/nginx.ts';
import { pgbouncerAvailable, startPgbouncer } from './servers/pgbouncer.ts';
import { postgresAvailable, startPostgres } from './servers/postgres.ts';
import { redisAvailable, startRedis } from './servers/redis.ts';

const PARTS = {
  postgres: {
    available: postgresAvailable,
    start: startPostgres,
    stop: (server: Awaited<ReturnType<typeof startPostgres>>) => server.stop(),
  },
  mariadb: {
    available: mariadbAvailable,
    start: startMariadb,
    stop: (server: Awaited<ReturnType<typeof startMariadb>>) => server.stop(),
  },
  /** A suite chooses its mode. */
  pgbouncer: { available: pgbouncerAvailable, start: async () => startPgbouncer, stop: async () => {} },
  redis: {
    available: redisAvailable,
    start: () => startRedis(),
    stop: (server: Awaited<ReturnType<typeof startRedis>>) => server.stop(),
  },
  chromium: {
    available: chromiumAvailable,
    start: launchChromium,
    stop: (browser: Awaited<ReturnType<typeof launchChromium>>) => browser.close(),
  },
  /** nginx is configured per suite: the part is its start function. */
  nginx: { available: nginxAvailable, start: async () => startNginx, stop: async () => {} },
  /** So are Caddy and the Python server. */
  caddy: { available: caddyAvailable, start: async () => startCaddy, stop: async () => {} },
  fastapi: { available: fastapiAvailable, start: async () => startFastapi, stop: async () => {} },
};

type Parts = { [Name in keyof typeof PARTS]: Awaited<ReturnType<(typeof PARTS)[Name]['start']>> };
export type PartName = keyof Parts;

const started = new Map<PartName, Promise<unknown>>();
const missing = new Set<PartName>();
const START_TIMEOUT_MS = 120_000;

export const requireAll = process.env.GATEHOUSE_TEST_REQUIRE_ALL === '1';

export function isAvailable(name: PartName): boolean {
  return PARTS[name].available();
}

/**
 * The shared part, for a `before` hook or a test: `const postgres = await requirePart('postgres', this)`.
 * A suite takes a database of its own from it: `await postgres.createDatabase()`.
 */
export async function requirePart<Name extends PartName>(name: Name, context: Mocha.Context): Promise<Parts[Name]> {
  if (!isAvailable(name)) {
    missing.add(name);
    if (requireAll) throw new Error(`${name} is not installed`);
    context.skip();
  }
  if (context.timeout() !== 0) context.timeout(Math.max(context.timeout(), START_TIMEOUT_MS));
  let part = started.get(name);
  if (!part) {
    part = PARTS[name].start();
    started.set(name, part);
  }
  return (await part) as Parts[Name];
}

/** Stops every part that was started. */
export async function stopParts(): Promise<void> {
  const stopping = Array.from(started, async ([name, part]) => {
    const stop = PARTS[name].stop as (part: unknown) => Promise<void>;
    // One that failed to start has failed its tests already.
    const running = await part.catch(() => undefined);
    if (running !== undefined) await stop(running);
  });
  started.clear();
  await Promise.all(stopping);
}

/** One line on what was left out, or undefined. */
export function skippedParts(): string | undefined {
  if (missing.size === 0) return undefined;
  return `skipped: ${Array.from(missing, (name) => `${name} not installed`).join(', ')}`;
}
