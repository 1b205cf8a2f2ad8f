/** Every answer is one that a client can act on, and every missing one has a reason. */
import type { Call, History } from '../ledger.ts';
import { succeeded } from '../ledger.ts';
import type { Violation } from './violation.ts';
import { at, clockMoved, during, memoryLost, told, whileDown, whileFrozen } from './windows.ts';

/** Limits that grow stricter while their store is away. */
const SIGN_INS = new Set(['login', 'page']);
/** What clocks may differ by: for so long a counter is believed that was written by one ahead. */
const COUNTERS_MS = 15_000;
/** Requests in steps: what a step needs may be gone with the memory, or by a clock. */
const IN_STEPS = new Set(['page']);

export function judgeStatuses({ calls, disturbances }: History): Violation[] {
  const problemOf = (call: Call): string | null => {
    const { outcome } = call;
    if (succeeded(call)) return null;
    if (outcome.kind === 'refused') {
      return whileDown(call, disturbances) ? null : 'nobody listened, although the process was to run';
    }
    if (outcome.kind === 'lost') {
      return whileDown(call, disturbances)
        ? null
        : 'the connection ended without an answer, and nobody ended the process';
    }
    if (outcome.kind === 'silent') {
      const excused = whileFrozen(call, disturbances) || whileDown(call, disturbances);
      return excused ? null : 'no answer within the patience of a client';
    }
    const disturbed = during(call, disturbances).length > 0;
    if (outcome.status === 503) {
      if (!outcome.retryAfter) return '503 without Retry-After';
      return disturbed ? null : '503, although nothing was wrong';
    }
    if (outcome.status === 429) {
      if (!outcome.retryAfter) return '429 without Retry-After';
      if (clockMoved({ startedMs: call.startedMs - COUNTERS_MS, endedMs: call.endedMs }, disturbances)) return null;
      return disturbed && SIGN_INS.has(call.operation) ? null : '429 for a rate that is allowed';
    }
    if (outcome.status >= 500) return `an answer of ${outcome.status}`;
    if (call.mayRefuse || call.uses || call.probes !== undefined) return null;
    const stepGone = memoryLost(call, disturbances) || clockMoved(call, disturbances);
    if (IN_STEPS.has(call.operation) && stepGone) return null;
    return `an honest request was refused`;
  };
  return calls.flatMap((call) => {
    const problem = problemOf(call);
    return problem === null ? [] : [{ rule: `only expected answers: ${problem}`, seen: `${at(call)}: ${told(call)}` }];
  });
}
