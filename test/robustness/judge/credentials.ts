/** What was given works, what was revoked is dead, and nothing dead comes back. */
import type { Call, Given, History } from '../ledger.ts';
import { isUnanswered, succeeded, wasRefused } from '../ledger.ts';
import type { Violation } from './violation.ts';
import { at, clockMoved, memoryLost, seconds, told } from './windows.ts';

/** How long a process may believe what it found before: docs/api.md, "How fast a revocation is seen". */
const STALENESS_MS = 5_500;
/** A credential near its end says nothing. */
const MARGIN_MS = 5_000;

export function judgeCredentials(history: History): Violation[] {
  const probes = history.calls.filter((call) => call.probes !== undefined && call.alive !== undefined);
  const endings = history.calls.filter((call) => call.ends !== undefined);
  const births = new Map<string, { call: Call; given: Given }>();
  for (const call of history.calls) {
    // A retry gives the same again: the first time counts.
    for (const given of succeeded(call) ? (call.gives ?? []) : []) {
      if (!births.has(given.name)) births.set(given.name, { call, given });
    }
  }
  const byName = Map.groupBy(probes, ({ probes: name }) => name ?? '');
  return Array.from(byName, ([name, asked]) => {
    const birth = births.get(name);
    const ended = endings.filter(({ ends = [] }) => ends.includes(name));
    return [...(birth ? lost(name, birth, asked, ended, history) : []), ...revived(name, asked, ended, history)];
  }).flat();
}

const hasEnded = (call: Call): boolean => succeeded(call) || (call.endsByRefusal === true && wasRefused(call));

/** Alive from the moment in which its receiver was told, until somebody asks for its end. */
function lost(
  name: string,
  { call: birth, given }: { call: Call; given: Given },
  asked: readonly Call[],
  endings: readonly Call[],
  { disturbances }: History,
): Violation[] {
  return asked
    .filter(({ alive, startedMs }) => alive === false && startedMs >= birth.endedMs)
    .filter(({ endedMs }) => endedMs < birth.startedMs + given.lifetimeMs - MARGIN_MS)
    .filter(({ endedMs }) => !endings.some((end) => end.startedMs <= endedMs && (hasEnded(end) || isUnanswered(end))))
    .filter(({ endedMs }) => {
      const life = { startedMs: birth.startedMs, endedMs };
      return !(given.inMemory && memoryLost(life, disturbances));
    })
    .filter((probe) => !clockMoved(birth, disturbances) && !clockMoved(probe, disturbances))
    .map((probe) => ({
      rule: 'an acknowledged success holds',
      seen: `${name}, given by ${at(birth)}, is refused: ${at(probe)}: ${told(probe)}`,
    }));
}

function revived(
  name: string,
  asked: readonly Call[],
  endings: readonly Call[],
  { disturbances }: History,
): Violation[] {
  const ended = endings.filter(hasEnded).map(({ endedMs }) => endedMs);
  const seenDead = asked
    .filter((probe) => probe.alive === false && !clockMoved(probe, disturbances))
    .map(({ endedMs }) => endedMs);
  const deadSince = Math.min(...ended, ...seenDead);
  const how = Math.min(...ended) <= deadSince ? 'revoked' : 'seen dead';
  return asked
    .filter(({ alive, startedMs }) => alive === true && startedMs > deadSince + STALENESS_MS)
    .map((probe) => ({
      rule: 'what is revoked is dead, and stays so',
      seen: `${name}, ${how} at ${seconds(deadSince)}, works: ${at(probe)}: ${told(probe)}`,
    }));
}
