import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlServer } from '../test/support/servers/sql-server.ts';
import { residentMb } from './cores.ts';
import { oauthRequests } from './oauth-requests.ts';
import { prepare } from './prepare.ts';
import { comparisonTable, ratioFinding } from './report.ts';
import { type Databases, startBaseline, startGatehouse } from './servers.ts';
import { type Cost, countStatements } from './statements.ts';
import { atMost, type Finding, findingsTable, table } from './table.ts';
import { compare } from './throughput.ts';

export interface Setting {
  postgres: SqlServer;
  redisUrl: string | null;
  print: (text: string) => void;
}

const STATEMENTS: Readonly<Record<string, number>> = {
  'first sign-in and consent, up to the code': 16,
  'code to tokens': 5,
  refresh: 4,
};
/** SQL and Redis together. */
const ROUND_TRIPS: Readonly<Record<string, number>> = {
  'client credentials, opaque': 1,
  'client credentials, JWT ES256': 1,
};
const RESIDENT_MB = 140;
const REST_MS = 5000;

export async function measureTargets(
  { postgres, redisUrl, print }: Setting,
  { rounds, seconds, only }: { rounds: number; seconds: number; only?: string | undefined },
): Promise<void> {
  const databases: Databases = { databaseUrl: postgres.url, redisUrl };
  const fixture = await prepare(databases);
  const costs = only === undefined ? await countStatements(databases, fixture) : [];
  print(
    table(
      ['per flow', 'SQL', 'Redis'],
      costs.map(({ flow, sql, redis }) => [flow, String(sql), String(redis)]),
    ),
  );

  const gatehouse = await startGatehouse(databases);
  const baseline = await startBaseline(fixture);
  await sleep(REST_MS);
  const memory = { gatehouse: residentMb(gatehouse.pid), baseline: residentMb(baseline.pid) };
  const kinds = oauthRequests(fixture).filter(({ name }) => name.includes(only ?? ''));
  const comparisons = await compare({ gatehouse, baseline, kinds, rounds, seconds, progress: print });
  await sleep(REST_MS);
  const later = { gatehouse: residentMb(gatehouse.pid), baseline: residentMb(baseline.pid) };
  await gatehouse.stop();
  await baseline.stop();

  print(`\n${comparisonTable(comparisons)}`);
  const pair = (of: typeof memory): string => `${of.gatehouse.toFixed(0)} MB (baseline ${of.baseline.toFixed(0)} MB)`;
  print(`resident memory: ${pair(memory)} at rest, ${pair(later)} at rest after the load\n`);
  if (redisUrl === null) return print('The targets are for PostgreSQL with Redis.');
  print(
    findingsTable([
      ...comparisons.map(ratioFinding),
      ...statementFindings(costs),
      atMost('resident memory at rest', RESIDENT_MB, memory.gatehouse, ' MB'),
    ]),
  );
}

function statementFindings(costs: readonly Cost[]): Finding[] {
  return costs.flatMap(({ flow, sql, redis }) => [
    ...(STATEMENTS[flow] === undefined ? [] : [atMost(`${flow}, SQL statements`, STATEMENTS[flow], sql)]),
    ...(ROUND_TRIPS[flow] === undefined ? [] : [atMost(`${flow}, round trips`, ROUND_TRIPS[flow], sql + redis)]),
  ]);
}
