import type { Clock } from '../../kit/clock.ts';
import { constantTimeEqual, type Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { createSealer } from '../../kit/seal.ts';
import type { Repeatable } from '../api-keys/manage-api-keys.ts';
import { IDEMPOTENT_LIFE_MS, type IdempotentRequest, type IdempotentRequestStore } from './idempotent-request.ts';

const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** One request under an Idempotency-Key. */
export interface RepeatableRequest {
  /** What the first such request was answered; null when this is the first one. Throws idempotency_mismatch. */
  firstAnswer(): Promise<string | null>;
  /** To be stored in one transaction with what the request creates. */
  record(answer: string): IdempotentRequest;
  /** What another request that was faster was answered. Throws idempotency_mismatch. */
  answerOf(first: IdempotentRequest): string;
}

export type BeginRepeatable = (
  request: Repeatable & {
    /** Who asks, as exactly as it is known: nobody else is told the answer. */
    caller: readonly string[];
    operation: string;
  },
) => RepeatableRequest;

/**
 * Makes creations safe to repeat. The answer holds a secret, so it is sealed under a key that only the digest key together with
 * the Idempotency-Key gives; the Idempotency-Key itself is not stored. `begin` throws invalid_request.
 */
export function createRepeatable({
  requests,
  digester,
  clock,
}: {
  requests: Pick<IdempotentRequestStore, 'find'>;
  digester: Digester;
  clock: Clock;
}): BeginRepeatable {
  return ({ caller, operation, idempotencyKey, content }) => {
    if (!IDEMPOTENCY_KEY.test(idempotencyKey)) {
      const problem = 'use 1 to 255 printable ASCII characters';
      throw new AppError('invalid_request', {
        public: `Idempotency-Key: ${problem}`,
        facts: { fields: [{ field: 'Idempotency-Key', problem }] },
      });
    }
    // As JSON: no two lists of callers, operations and keys read the same.
    const identity = JSON.stringify([caller, operation, idempotencyKey]);
    const id = digester.digest('idempotency-id', identity);
    const fingerprint = digester.digest('idempotency-content', JSON.stringify([identity, content]));
    const sealer = createSealer([digester.digest('idempotency-seal', identity)]);

    function answerOf(first: IdempotentRequest): string {
      if (!constantTimeEqual(first.fingerprint, fingerprint)) throw new AppError('idempotency_mismatch');
      return sealer.open(first.sealedAnswer, id).toString();
    }
    return {
      answerOf,
      async firstAnswer() {
        const first = await requests.find(id);
        return first && first.expiresAt > clock.nowMs() ? answerOf(first) : null;
      },
      record(answer) {
        const createdAt = clock.nowMs();
        const sealedAnswer = sealer.seal(answer, id);
        return { id, fingerprint, sealedAnswer, createdAt, expiresAt: createdAt + IDEMPOTENT_LIFE_MS };
      },
    };
  };
}
