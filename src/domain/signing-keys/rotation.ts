import { ageMs, type Clock, isFromTheFuture } from '../../kit/clock.ts';
import type { Sealer } from '../../kit/seal.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Exclusively } from '../leases/exclusively.ts';
import { generateSigningKey } from './key-material.ts';
import { SIGNING_ALGORITHMS, type SigningAlgorithm, type SigningKey, type SigningKeyState } from './signing-key.ts';
import type { SigningKeyStore } from './signing-key-store.ts';

/** Seconds. Defaults: 90 d signing, at least 14 d published before that, 14 d kept after. */
export interface RotationSchedule {
  activeSeconds: number;
  publishedSeconds: number;
  retiredSeconds: number;
}

/** One thing to do to the key ring, decided from its rows alone. */
export type RotationStep =
  | { do: 'create'; algorithm: SigningAlgorithm; state: 'published' | 'active' }
  | { do: 'activate'; kid: string; retire: string }
  | { do: 'remove'; kid: string }
  /** It says that it is in its state since a time that has not come yet: from now on. */
  | { do: 'redate'; kid: string; state: SigningKeyState };

/**
 * What is due now. A first key signs at once. Its successor is always published in advance, so that even an unplanned
 * rotation meets verifiers that know the new key. When the active key is old enough and the successor was published long
 * enough, they swap. A retired key goes when nothing it signed can still be valid. A clock that was ahead must not keep a key in
 * its state until that time comes.
 */
export function dueSteps(keys: readonly SigningKey[], schedule: RotationSchedule, nowMs: number): RotationStep[] {
  return SIGNING_ALGORITHMS.flatMap((algorithm): RotationStep[] => {
    const own = keys.filter((key) => key.algorithm === algorithm);
    const active = own.find((key) => key.state === 'active');
    const next = own.find((key) => key.state === 'published');
    const steps: RotationStep[] = own
      .filter((key) => key.state === 'retired' && ageSeconds(key, nowMs) >= schedule.retiredSeconds)
      .map((key) => ({ do: 'remove', kid: key.kid }));
    for (const { kid, state, stateSince } of own) {
      if (isFromTheFuture(stateSince, nowMs)) steps.push({ do: 'redate', kid, state });
    }
    if (!active) steps.push({ do: 'create', algorithm, state: 'active' });
    if (!next) steps.push({ do: 'create', algorithm, state: 'published' });
    if (
      active &&
      next &&
      ageSeconds(active, nowMs) >= schedule.activeSeconds &&
      ageSeconds(next, nowMs) >= schedule.publishedSeconds
    ) {
      steps.push({ do: 'activate', kid: next.kid, retire: active.kid });
    }
    return steps;
  });
}

const ageSeconds = (key: SigningKey, nowMs: number): number => ageMs(key.stateSince, nowMs) / 1000;

export interface KeyRotation {
  /** Does what is due; returns how many steps were taken. One process at a time. */
  run(): Promise<number>;
  /**
   * Rotates outside the schedule. By default the active key counts as old from now on, and the successor takes over as soon
   * as it was published long enough; with `now` it takes over at once (for a key that others may know).
   */
  rotate(options: { now: boolean }): Promise<void>;
}

export function createKeyRotation({
  store,
  sealer,
  schedule,
  audit,
  clock,
  exclusively,
  onChanged,
}: {
  store: SigningKeyStore;
  sealer: Sealer;
  schedule: RotationSchedule;
  audit: RecordAudit;
  clock: Clock;
  exclusively: Exclusively;
  /** Tells every process to read the keys again. */
  onChanged: () => Promise<void>;
}): KeyRotation {
  async function take(step: RotationStep): Promise<void> {
    if (step.do === 'create') {
      const key = await generateSigningKey(step.algorithm, step.state, sealer, clock.nowMs());
      await store.insert(key);
      await audit('signing_key.created', { details: { kid: key.kid, algorithm: step.algorithm, state: step.state } });
    } else if (step.do === 'activate') {
      const moves = [
        { kid: step.retire, from: 'active', to: 'retired' },
        { kid: step.kid, from: 'published', to: 'active' },
      ] as const;
      if (!(await store.transition(moves, clock.nowMs()))) return;
      await audit('signing_key.retired', { details: { kid: step.retire } });
      await audit('signing_key.activated', { details: { kid: step.kid } });
    } else if (step.do === 'redate') {
      await store.transition([{ kid: step.kid, from: step.state, to: step.state }], clock.nowMs());
    } else if (await store.remove(step.kid)) {
      await audit('signing_key.removed', { details: { kid: step.kid } });
    }
  }

  async function runDue(): Promise<number> {
    let taken = 0;
    // A step can make another one due: an activation leaves a successor to be published.
    for (let due = await steps(); due.length > 0 && taken < 20; due = await steps()) {
      for (const step of due) await take(step);
      taken += due.length;
    }
    return taken;
  }

  async function rotateNow(now: boolean): Promise<void> {
    await runDue();
    const keys = await store.list();
    for (const active of keys.filter((key) => key.state === 'active')) {
      const next = keys.find((key) => key.state === 'published' && key.algorithm === active.algorithm);
      if (now && next) {
        await take({ do: 'activate', kid: next.kid, retire: active.kid });
      } else {
        const old = clock.nowMs() - schedule.activeSeconds * 1000;
        await store.transition([{ kid: active.kid, from: 'active', to: 'active' }], Math.min(old, active.stateSince));
      }
    }
    await runDue();
  }

  const steps = async (): Promise<RotationStep[]> => dueSteps(await store.list(), schedule, clock.nowMs());

  return {
    async run() {
      if ((await steps()).length === 0) return 0;
      const taken = await exclusively('signing-keys', runDue);
      if (taken > 0) await onChanged();
      return taken;
    },
    async rotate({ now }) {
      await exclusively('signing-keys', () => rotateNow(now));
      await onChanged();
    },
  };
}
