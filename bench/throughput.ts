import { setTimeout as sleep } from 'node:timers/promises';
import { clientCredentials, type Fixture, JWT_API, OPAQUE_API } from './fixtures.ts';
import { createFlows } from './flows.ts';
import { type Load, type LoadResult, runLoad } from './load.ts';
import type { MeasuredServer } from './servers.ts';
import { median } from './statistics.ts';

export const REQUESTS = [
  'client credentials, opaque',
  'client credentials, JWT ES256',
  'introspection, opaque',
] as const;
export type RequestName = (typeof REQUESTS)[number];

export interface Comparison {
  name: RequestName;
  /** Medians over the rounds. */
  gatehouse: LoadResult;
  baseline: LoadResult;
  /** Medians of the rounds' own ratios: what disturbs the machine disturbs both of a round. */
  rateRatio: number;
  cpuRatio: number;
}

const TOKENS = 100;
/** Lets the databases and the garbage of the run before come to rest. */
const REST_MS = 300;

export async function requestLoad(
  name: RequestName,
  server: MeasuredServer,
  fixture: Fixture,
  seconds: number,
): Promise<Load> {
  const pace = { seconds, connections: 32 };
  const token = { ...pace, path: server.paths.token, client: fixture.machine, expect: '"token_type":"Bearer"' };
  if (name === 'client credentials, opaque') return { ...token, bodies: [clientCredentials(OPAQUE_API)] };
  if (name === 'client credentials, JWT ES256') return { ...token, bodies: [clientCredentials(JWT_API)] };
  // Fresh tokens each time: the baseline remembers only the last thousand things.
  const flows = createFlows(server, fixture);
  const bodies: string[] = [];
  for (let i = 0; i < TOKENS; i += 1) bodies.push(`token=${await flows.clientCredentials(OPAQUE_API)}`);
  flows.close();
  return { ...pace, path: server.paths.introspect, client: fixture.api, expect: '"active":true', bodies };
}

export async function compare({
  gatehouse,
  baseline,
  fixture,
  rounds,
  seconds,
  progress,
}: {
  gatehouse: MeasuredServer;
  baseline: MeasuredServer;
  fixture: Fixture;
  rounds: number;
  seconds: number;
  progress: (line: string) => void;
}): Promise<Comparison[]> {
  const measure = async (name: RequestName, server: MeasuredServer, forSeconds: number): Promise<LoadResult> => {
    const load = await requestLoad(name, server, fixture, forSeconds);
    await sleep(REST_MS);
    return runLoad(server, load);
  };
  for (const name of REQUESTS) for (const server of [baseline, gatehouse]) await measure(name, server, 2);

  const runs = new Map<RequestName, { gatehouse: LoadResult; baseline: LoadResult }[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of REQUESTS) {
      // The first of a pair changes with the round, in case the first is at an advantage.
      const first = await measure(name, round % 2 === 1 ? baseline : gatehouse, seconds);
      const second = await measure(name, round % 2 === 1 ? gatehouse : baseline, seconds);
      const pair = round % 2 === 1 ? { baseline: first, gatehouse: second } : { gatehouse: first, baseline: second };
      runs.set(name, [...(runs.get(name) ?? []), pair]);
      progress(`round ${round}, ${name}: Gatehouse ${describe(pair.gatehouse)}; baseline ${describe(pair.baseline)}`);
    }
  }
  return Array.from(runs, ([name, pairs]) => ({
    name,
    gatehouse: medians(pairs.map((pair) => pair.gatehouse)),
    baseline: medians(pairs.map((pair) => pair.baseline)),
    rateRatio: median(pairs.map((pair) => pair.gatehouse.rate / pair.baseline.rate)),
    cpuRatio: median(pairs.map((pair) => pair.baseline.cpuMsPerRequest / pair.gatehouse.cpuMsPerRequest)),
  }));
}

export const describe = ({ rate, cpuMsPerRequest, coreShare }: LoadResult): string =>
  `${rate.toFixed(0)}/s, ${cpuMsPerRequest.toFixed(3)} CPU ms, ${(coreShare * 100).toFixed(0)} % of its core`;

function medians(results: readonly LoadResult[]): LoadResult {
  const of = (field: keyof LoadResult): number => median(results.map((result) => result[field]));
  return {
    rate: of('rate'),
    cpuMsPerRequest: of('cpuMsPerRequest'),
    coreShare: of('coreShare'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
  };
}
