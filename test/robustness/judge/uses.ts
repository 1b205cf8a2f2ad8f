/** What is to be used once is used once, and what was asked without an answer can be asked again. */
import type { Call, History, Use } from '../ledger.ts';
import { isUnanswered, succeeded, wasRefused } from '../ledger.ts';
import type { Violation } from './violation.ts';
import { at, clockMoved, told } from './windows.ts';

type UseCall = Call & { uses: Use };

/** Room for the way between the client's clock and the server's. */
const MARGIN_MS = 5_000;

export function judgeUses(history: History): Violation[] {
  const uses = history.calls.filter((call): call is UseCall => call.uses !== undefined);
  const byThing = Map.groupBy(uses, ({ uses: { thing } }) => thing);
  return Array.from(byThing.values(), (calls) => judgeThing(calls, history)).flat();
}

function judgeThing(calls: readonly UseCall[], history: History): Violation[] {
  const found: Violation[] = [];
  const successes = calls.filter(succeeded);
  const [first] = calls;
  if (!first) return [];
  const { thing, rule } = first.uses;
  const seen = calls.map((call) => `${at(call)}: ${told(call)}${call.result ? ` (${call.result})` : ''}`).join('; ');

  if (rule === 'once' && successes.length > 1) found.push({ rule: 'nothing is used twice', seen: `${thing}: ${seen}` });
  if (rule === 'same' && new Set(successes.map(({ result }) => result)).size > 1) {
    found.push({ rule: 'a retry gets the answer of the first try', seen: `${thing}: ${seen}` });
  }
  for (const call of calls.filter(wasRefused)) {
    const reason = whyNotToBeRefused(call, calls, history);
    if (reason) found.push({ rule: reason, seen: `${thing}: ${seen}` });
  }
  const decided = successes.length > 0 || calls.some(wasRefused);
  if (!decided && calls.some(isUnanswered)) {
    found.push({ rule: 'what got no answer can be asked again', seen: `${thing}: ${seen}` });
  }
  return found;
}

/** Null when the refusal is a clean one. */
function whyNotToBeRefused(call: UseCall, calls: readonly UseCall[], { disturbances }: History): string | null {
  const { rule, givenMs, goodForMs = Number.POSITIVE_INFINITY, retryForMs } = call.uses;
  const from = givenMs ?? Math.min(...calls.map(({ startedMs }) => startedMs));
  if (clockMoved({ startedMs: from, endedMs: call.endedMs }, disturbances)) return null;
  if (givenMs !== undefined && call.endedMs > givenMs + goodForMs - MARGIN_MS) return null;

  const others = calls.filter((other) => other !== call && other.startedMs <= call.endedMs && mayHaveCounted(other));
  if (others.length === 0) return 'what was given can be used';
  if (rule === 'once') return null;
  const firstUse = Math.min(...others.map(({ startedMs }) => startedMs));
  return call.endedMs < firstUse + retryForMs - MARGIN_MS ? 'a retry within its time is answered' : null;
}

const mayHaveCounted = (call: Call): boolean => succeeded(call) || isUnanswered(call);
