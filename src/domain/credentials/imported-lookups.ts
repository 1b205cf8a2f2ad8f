import { monotonicMs } from '../../kit/clock.ts';
import type { KeyWithOwner } from '../api-keys/api-key-store.ts';

/**
 * Looks for imported keys, many with one statement: what is asked for within a moment is asked for together. Alone a look starts at once;
 * so a flood of made-up keys costs five statements a second, and who has a key waits a fifth of a second at most.
 */
export interface ImportedLookups {
  /** The first key that is found under one of these digests. */
  find(digests: readonly string[]): Promise<KeyWithOwner | null>;
}

const EVERY_MS = 200;
/** Texts in one statement, of two digests each. */
const MOST = 125;

interface Asked {
  digests: readonly string[];
  resolve(found: KeyWithOwner | null): void;
  reject(error: unknown): void;
}

export function createImportedLookups(
  findImported: (digests: readonly string[]) => Promise<KeyWithOwner[]>,
): ImportedLookups {
  const waiting: Asked[] = [];
  let startedAtMs = Number.NEGATIVE_INFINITY;
  let isPlanned = false;

  function plan(): void {
    if (isPlanned || waiting.length === 0) return;
    isPlanned = true;
    const waitMs = startedAtMs + EVERY_MS - monotonicMs();
    // Also without a wait not in this turn: those who ask in it come along.
    if (waitMs <= 0) setImmediate(look);
    else setTimeout(look, Math.ceil(waitMs));
  }

  function look(): void {
    isPlanned = false;
    startedAtMs = monotonicMs();
    void answer(waiting.splice(0, MOST));
    plan();
  }

  async function answer(asked: readonly Asked[]): Promise<void> {
    try {
      const found = await findImported([...new Set(asked.flatMap(({ digests }) => digests))]);
      const byDigest = new Map(found.map((each) => [each.key.importedDigest, each]));
      for (const { digests, resolve } of asked) {
        const digest = digests.find((each) => byDigest.has(each));
        resolve(digest === undefined ? null : (byDigest.get(digest) ?? null));
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }

  return {
    find: (digests) =>
      new Promise((resolve, reject) => {
        waiting.push({ digests, resolve, reject });
        plan();
      }),
  };
}
