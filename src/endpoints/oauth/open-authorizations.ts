import { AppError } from '../../kit/errors.ts';

/** How long a caller is told to wait: somebody has finished by then, or some have expired. */
const RETRY_SECONDS = 30;

/**
 * Authorizations that wait for somebody to sign in. Anybody can start one, and each is stored, so there is a ceiling for all of them and one
 * for each address. Those that are open go on whatever is refused. Each process counts its own part: what others
 * finish stays counted here until it expires.
 */
export interface OpenAuthorizations {
  /** Throws rate_limit_exceeded (the address) or temporarily_unavailable (all of them). */
  admit(key: string, addressGroup: string): void;
  finished(key: string): void;
}

export function createOpenAuthorizations({
  most,
  mostByAddress,
  processes,
  lifetimeSeconds,
  monotonicMs,
}: {
  most: number;
  mostByAddress: number;
  processes: number;
  lifetimeSeconds: number;
  monotonicMs: () => number;
}): OpenAuthorizations {
  const part = (count: number): number => Math.max(1, Math.floor(count / processes));
  /** In the order in which they expire. */
  const open = new Map<string, { addressGroup: string; endsAtMs: number }>();
  const byAddress = new Map<string, number>();

  function finished(key: string): void {
    const one = open.get(key);
    if (!one) return;
    open.delete(key);
    const left = (byAddress.get(one.addressGroup) ?? 1) - 1;
    if (left === 0) byAddress.delete(one.addressGroup);
    else byAddress.set(one.addressGroup, left);
  }

  function dropExpired(nowMs: number): void {
    for (const [key, { endsAtMs }] of open) {
      if (endsAtMs > nowMs) return;
      finished(key);
    }
  }

  return {
    admit(key, addressGroup) {
      if (open.has(key)) return;
      const nowMs = monotonicMs();
      dropExpired(nowMs);
      const own = byAddress.get(addressGroup) ?? 0;
      if (own >= part(mostByAddress)) {
        throw new AppError('rate_limit_exceeded', {
          public: 'Too many sign-ins were begun from your network and not finished.',
          internal: 'the ceiling of open authorizations for one address',
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      if (open.size >= part(most)) {
        throw new AppError('temporarily_unavailable', {
          public: 'Too many sign-ins are under way just now.',
          internal: 'the ceiling of open authorizations',
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      open.set(key, { addressGroup, endsAtMs: nowMs + lifetimeSeconds * 1000 });
      byAddress.set(addressGroup, own + 1);
    },
    finished,
  };
}
