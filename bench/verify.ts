import { createCredentials } from './credentials.ts';
import { measureFlood } from './flood.ts';
import { measureLogin } from './login.ts';
import { prepare } from './prepare.ts';
import { comparisonTable, ratioFinding } from './report.ts';
import { startGatehouse, startHello } from './servers.ts';
import { atMost, findingsTable } from './table.ts';
import type { Setting } from './targets.ts';
import { compare } from './throughput.ts';
import { verifyRequests } from './verify-requests.ts';
import { countWarmVerifies } from './verify-statements.ts';

/** Keys that are in use while strangers try made-up ones. */
const KEYS = 1000;
/** What `--only` knows the other measurements by. */
const FLOOD = 'flood';
const LOGIN = 'login';

/** Verifying against Koa alone, what it asks of the databases, a flood of made-up keys, and what a sign-in costs. */
export async function measureVerify(
  { postgres, redisUrl, print }: Setting,
  { rounds, seconds, only }: { rounds: number; seconds: number; only?: string | undefined },
): Promise<void> {
  // A database of its own, where no imported key is.
  const databases = { databaseUrl: await postgres.createDatabase(), redisUrl };
  const fixture = await prepare(databases);
  const credentials = await createCredentials(databases, { keys: KEYS });
  const isMeant = (name: string): boolean => name.includes(only ?? '');
  const costs = only === undefined ? await countWarmVerifies(databases, fixture, credentials) : [];

  const gatehouse = await startGatehouse(databases);
  const baseline = await startHello();
  const kinds = verifyRequests(fixture, credentials).filter(({ name }) => isMeant(name));
  const comparisons = await compare({ gatehouse, baseline, kinds, rounds, seconds, progress: print });
  await gatehouse.stop();
  await baseline.stop();

  const floods = isMeant(FLOOD) ? await measureFlood(databases, credentials) : [];
  const logins = isMeant(LOGIN) ? [await measureLogin(databases)] : [];
  print(`\n${comparisonTable(comparisons)}`);
  print(
    findingsTable([
      ...comparisons.map(ratioFinding),
      ...costs.map(({ flow, sql, redis }) => atMost(`${flow}, SQL and Redis`, 0, sql + redis)),
      ...floods,
      ...logins,
    ]),
  );
}
