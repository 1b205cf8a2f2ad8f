import { atLeast, type Finding, table } from './table.ts';
import type { Comparison } from './throughput.ts';

/** Below this share of its core a server was waiting for the load, and its rate says nothing about it. */
const BUSY = 0.9;

export function ratioFinding({ name, target, gatehouse, baseline, rateRatio, cpuRatio }: Comparison): Finding {
  const busy = Math.min(gatehouse.coreShare, baseline.coreShare) >= BUSY;
  // A server that has its core to itself answers as many requests as their CPU time lets it.
  return busy
    ? atLeast(`${name}, rate`, target, rateRatio, ' x')
    : atLeast(`${name}, rate`, target, cpuRatio, ' x', ' (by CPU time)');
}

export function comparisonTable(comparisons: readonly Comparison[]): string {
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
