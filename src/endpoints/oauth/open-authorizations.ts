import { networkOf } from '../../kit/addresses.ts';
import { AppError } from '../../kit/errors.ts';

/** How long a caller is told to wait: somebody has finished by then, or some have expired. */
const RETRY_SECONDS = 30;

/**
 * Authorizations that wait for somebody to sign in. Anybody can start one, and each is stored, so there is a ceiling for all of them and one
 * for each address. At the ceiling for all, the network that has most of them open gives up its oldest, so that a stranger with a few
 * addresses keeps nobody else from signing in. Each process counts its own part: what others finish stays counted here until it
 * expires.
 */
export interface OpenAuthorizations {
  /**
   * Throws rate_limit_exceeded (the address) or temporarily_unavailable (all of them). Returns the key of the one that made room, which
   * the caller removes, or null.
   */
  admit(key: string, addressGroup: string): string | null;
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
  /** Keys by IPv4 address or /48 of IPv6, the oldest first: the holder of a /48 has 65,536 addresses that count apart. */
  const byNetwork = new Map<string, Set<string>>();
  const networkNamed = (addressGroup: string): string => networkOf(addressGroup) ?? addressGroup;

  function finished(key: string): void {
    const one = open.get(key);
    if (!one) return;
    open.delete(key);
    const left = (byAddress.get(one.addressGroup) ?? 1) - 1;
    if (left === 0) byAddress.delete(one.addressGroup);
    else byAddress.set(one.addressGroup, left);
    const network = networkNamed(one.addressGroup);
    const ofNetwork = byNetwork.get(network);
    ofNetwork?.delete(key);
    if (ofNetwork?.size === 0) byNetwork.delete(network);
  }

  function dropExpired(nowMs: number): void {
    for (const [key, { endsAtMs }] of open) {
      if (endsAtMs > nowMs) return;
      finished(key);
    }
  }

  /** The oldest of the largest network, unless the newcomer's would then have as many. */
  function makeRoom(addressGroup: string): string | null {
    const own = byNetwork.get(networkNamed(addressGroup))?.size ?? 0;
    const largest = [...byNetwork.values()].reduce((most, one) => (one.size > most.size ? one : most));
    const [oldest] = largest;
    if (oldest === undefined || largest.size <= own + 1) {
      throw new AppError('temporarily_unavailable', {
        public: 'Too many sign-ins are under way just now.',
        internal: 'the ceiling of open authorizations',
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    finished(oldest);
    return oldest;
  }

  return {
    admit(key, addressGroup) {
      if (open.has(key)) return null;
      const nowMs = monotonicMs();
      dropExpired(nowMs);
      if ((byAddress.get(addressGroup) ?? 0) >= part(mostByAddress)) {
        throw new AppError('rate_limit_exceeded', {
          public: 'Too many sign-ins were begun from your network and not finished.',
          internal: 'the ceiling of open authorizations for one address',
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      const madeRoom = open.size >= part(most) ? makeRoom(addressGroup) : null;
      open.set(key, { addressGroup, endsAtMs: nowMs + lifetimeSeconds * 1000 });
      byAddress.set(addressGroup, (byAddress.get(addressGroup) ?? 0) + 1);
      const network = networkNamed(addressGroup);
      byNetwork.set(network, (byNetwork.get(network) ?? new Set()).add(key));
      return madeRoom;
    },
    finished,
  };
}
