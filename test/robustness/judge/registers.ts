/** What is replaced has the value last acknowledged, or one whose replacement got no answer; and lists show each thing once. */
import type { Call, History } from '../ledger.ts';
import { isUnanswered, succeeded } from '../ledger.ts';
import type { Violation } from './violation.ts';
import { at } from './windows.ts';

export function judgeRegisters({ calls }: History): Violation[] {
  const reads = calls.filter((call) => call.reads !== undefined && succeeded(call));
  const wrong = reads.flatMap((read) => {
    const writes = calls.filter(({ writes }) => writes !== undefined && writes.register === read.reads?.register);
    return isPossible(read, writes)
      ? []
      : [
          {
            rule: 'an acknowledged change holds',
            seen: `${at(read)} found "${read.reads?.value}" in ${read.reads?.register}`,
          },
        ];
  });
  const counted = calls.flatMap(({ counts }) => {
    if (!counts) return [];
    if (counts.count > 1)
      return [
        { rule: 'one creation for each Idempotency-Key', seen: `${counts.thing} is there ${counts.count} times` },
      ];
    if (counts.known && counts.count === 0)
      return [{ rule: 'an acknowledged success holds', seen: `${counts.thing} is in no list` }];
    return [];
  });
  return [...wrong, ...counted];
}

/**
 * A write takes effect at one moment between its request and its answer; without an answer at any moment after its request, or
 * never. A read may find a value unless another write certainly came in between.
 */
function isPossible(read: Call, writes: readonly Call[]): boolean {
  const value = read.reads?.value;
  const candidates = writes.filter(
    (write) =>
      write.writes?.value === value && write.startedMs <= read.endedMs && (succeeded(write) || isUnanswered(write)),
  );
  return candidates.some((candidate) => {
    if (!succeeded(candidate)) return true;
    const later = writes.filter((write) => succeeded(write) && write.startedMs > candidate.endedMs);
    return !later.some(({ endedMs }) => endedMs < read.startedMs);
  });
}
