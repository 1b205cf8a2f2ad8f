/** A process ends when it is asked to, in time and in order, and never by itself. */
import type { History } from '../ledger.ts';
import type { Violation } from './violation.ts';
import { during, seconds } from './windows.ts';

/** GATEHOUSE_DRAIN and what comes after it: docs/operations.md, "Probes and metrics"; and room for a busy machine. */
const STOP_MS = 20_000;

export function judgeProcesses({ ends, troubles, disturbances }: History): Violation[] {
  const problems = ends.flatMap(({ node, atMs, asked, code, signal, tookMs }) => {
    const how = signal ?? `code ${code}`;
    const when = seconds(atMs);
    if (asked === null) return [{ rule: 'no process dies by itself', seen: `${node} ended at ${when} with ${how}` }];
    if (asked === 'kill') return [];
    const span = { startedMs: atMs - tookMs, endedMs: atMs };
    const hindered = code === 1 && during(span, disturbances).some(({ hindersStop }) => hindersStop);
    if (code !== 0 && !hindered)
      return [{ rule: 'SIGTERM ends in order', seen: `${node} ended at ${when} with ${how}` }];
    if (tookMs > STOP_MS) return [{ rule: 'SIGTERM ends in time', seen: `${node} took ${seconds(tookMs)}` }];
    return [];
  });
  return [...problems, ...troubles.map((seen) => ({ rule: 'everything works again by itself', seen }))];
}
