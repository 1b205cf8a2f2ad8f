import type { RotationSchedule } from './rotation.ts';
import type { SigningKey } from './signing-key.ts';

/** What becomes of a key next, and when: milliseconds since the epoch. It may be due already; the job does it within seconds. */
export interface NextChange {
  to: 'active' | 'retired' | 'removed';
  at: number;
}

/** The same rules as dueSteps in rotation.ts, asked ahead of time. */
export function nextChange(key: SigningKey, keys: readonly SigningKey[], schedule: RotationSchedule): NextChange {
  if (key.state === 'retired') return { to: 'removed', at: key.stateSince + schedule.retiredSeconds * 1000 };
  const inState = (state: SigningKey['state']): SigningKey | undefined =>
    keys.find((candidate) => candidate.algorithm === key.algorithm && candidate.state === state);
  const activeEnds = (inState('active')?.stateSince ?? 0) + schedule.activeSeconds * 1000;
  const nextIsReady = (inState('published')?.stateSince ?? 0) + schedule.publishedSeconds * 1000;
  // The active key and its successor swap when both are old enough.
  return { to: key.state === 'active' ? 'retired' : 'active', at: Math.max(activeEnds, nextIsReady) };
}
