import { setTimeout as sleep } from 'node:timers/promises';
import { type Load, type LoadResult, runLoad } from './load.ts';
import type { MeasuredServer } from './servers.ts';
import { median } from './statistics.ts';

/** A kind of request that is compared. */
export interface RequestKind {
  name: string;
  /** The least share of the baseline's rate. */
  target: number;
  /** As one of the two servers is asked. */
  load(server: MeasuredServer): Promise<Load>;
}

export interface Comparison {
  name: string;
  target: number;
  /** Medians over the rounds. */
  gatehouse: LoadResult;
  baseline: LoadResult;
  /** Medians of the rounds' own ratios: what disturbs the machine disturbs both of a round. */
  rateRatio: number;
  cpuRatio: number;
}

/** Lets the databases and the garbage of the run before come to rest. */
const REST_MS = 300;

export async function compare({
  gatehouse,
  baseline,
  kinds,
  rounds,
  seconds,
  progress,
}: {
  gatehouse: MeasuredServer;
  baseline: MeasuredServer;
  kinds: readonly RequestKind[];
  rounds: number;
  seconds: number;
  progress: (line: string) => void;
}): Promise<Comparison[]> {
  const measure = async (kind: RequestKind, server: MeasuredServer, forSeconds: number): Promise<LoadResult> => {
    const load = await kind.load(server);
    await sleep(REST_MS);
    return runLoad(server, load, forSeconds);
  };
  for (const kind of kinds) for (const server of [baseline, gatehouse]) await measure(kind, server, 2);

  const runs = new Map<RequestKind, { gatehouse: LoadResult; baseline: LoadResult }[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of kinds) {
      // The first of a pair changes with the round, in case the first is at an advantage.
      const first = await measure(kind, round % 2 === 1 ? baseline : gatehouse, seconds);
      const second = await measure(kind, round % 2 === 1 ? gatehouse : baseline, seconds);
      const pair = round % 2 === 1 ? { baseline: first, gatehouse: second } : { gatehouse: first, baseline: second };
      runs.set(kind, [...(runs.get(kind) ?? []), pair]);
      const both = `Gatehouse ${describe(pair.gatehouse)}; baseline ${describe(pair.baseline)}`;
      progress(`round ${round}, ${kind.name}: ${both}`);
    }
  }
  return Array.from(runs, ([{ name, target }, pairs]) => ({
    name,
    target,
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
