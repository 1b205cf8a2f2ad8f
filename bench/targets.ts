import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlServer } from '../test/support/servers/sql-server.ts';
import { residentMb } from './cores.ts';
import { prepare } from './prepare.ts';
import { type Databases, startBaseline, startGatehouse } from './servers.ts';
import { type Cost, countStatements } from './statements.ts';
import { atLeast, atMost, type Finding, findingsTable, table } from './table.ts';
import { type Comparison, compare, type RequestName } from './throughput.ts';

export interface Setting {
  postgres: SqlServer;
  redisUrl: string | null;
  print: (text: string) => void;
}

const RATIOS: Readonly<Record<RequestName, number>> = {
  'client credentials, opaque': 1,
  'client credentials, JWT ES256': 1,
  'introspection, opaque': 1.5,
};
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
/** Below this share of its core a server was waiting for the load, and its rate says nothing about it. */
const BUSY = 0.9;

export async function measureTargets(
  { postgres, redisUrl, print }: Setting,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<void> {
  const databases: Databases = { databaseUrl: postgres.url, redisUrl };
  const fixture = await prepare(databases);
  const costs = await countStatements(databases, fixture);
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
  const comparisons = await compare({ gatehouse, baseline, fixture, rounds, seconds, progress: print });
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

function ratioFinding({ name, gatehouse, baseline, rateRatio, cpuRatio }: Comparison): Finding {
  const busy = Math.min(gatehouse.coreShare, baseline.coreShare) >= BUSY;
  // A server that has its core to itself answers as many requests as their CPU time lets it.
  return busy
    ? atLeast(`${name}, rate`, RATIOS[name], rateRatio, ' x')
    : atLeast(`${name}, rate`, RATIOS[name], cpuRatio, ' x', ' (by CPU time)');
}

function statementFindings(costs: readonly Cost[]): Finding[] {
  return costs.flatMap(({ flow, sql, redis }) => [
    ...(STATEMENTS[flow] === undefined ? [] : [atMost(`${flow}, SQL statements`, STATEMENTS[flow], sql)]),
    ...(ROUND_TRIPS[flow] === undefined ? [] : [atMost(`${flow}, round trips`, ROUND_TRIPS[flow], sql + redis)]),
  ]);
}

function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ name, gatehouse, baseline, rateRatio, cpuRatio }) =>
    (
      [
        ['Gatehouse', gatehouse],
        ['baseline', baseline],
      ] as const
    ).map(([server, result]) => [
      server === 'Gatehouse' ? name : '',
      server,
      result.rate.toFixed(0),
      result.cpuMsPerRequest.toFixed(3),
      `${(result.coreShare * 100).toFixed(0)} %`,
      result.p50Ms.toFixed(1),
      result.p99Ms.toFixed(1),
      server === 'Gatehouse' ? `${rateRatio.toFixed(2)} x` : '',
      server === 'Gatehouse' ? `${cpuRatio.toFixed(2)} x` : '',
    ]),
  );
  const head = ['', '', 'requests/s', 'CPU ms each', 'of its core', 'p50 ms', 'p99 ms', 'by rate', 'by CPU'];
  return table(head, rows);
}
