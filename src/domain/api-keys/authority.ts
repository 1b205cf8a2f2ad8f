import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { Account } from '../accounts/account.ts';
import { areAddressesWithin } from './addresses.ts';
import { type ApiKey, stateOf } from './api-key.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import type { KeyScopes } from './key-scopes.ts';
import type { KeyActor } from './manage-api-keys.ts';

/**
 * "No more than the actor has": the one comparison between an actor and a key. Asked by everything that makes a secret, returns
 * one or widens a key. A new bound of keys belongs into `BOUNDS`, and into nothing else here.
 */

/** Where, until when and how often a key is good. */
export type Bounds = Pick<ApiKey, 'expiresAt' | 'allowedAddresses' | 'limit'>;

/** By the names of the JSON API. Whether `target` allows nothing that `own` does not. */
const BOUNDS: Readonly<Record<string, (target: Bounds, own: Bounds) => boolean>> = {
  expires_at: ({ expiresAt: target }, { expiresAt: own }) => own === null || (target !== null && target <= own),
  allowed_addresses: (target, own) => areAddressesWithin(target.allowedAddresses, own.allowedAddresses),
  limit: ({ limit: target }, { limit: own }) => own === null || (target !== null && isWithinLimit(target, own)),
};

/** The quota is there at once, so a long window at the same rate would be a burst that the maker does not have. */
const isWithinLimit = (target: NonNullable<ApiKey['limit']>, own: NonNullable<ApiKey['limit']>): boolean =>
  target.quota <= own.quota && target.quota * own.windowSeconds <= own.quota * target.windowSeconds;

/** The bounds in which `target` goes beyond `own`. */
export const boundsBeyond = (target: Bounds, own: Bounds): string[] =>
  Object.entries(BOUNDS).flatMap(([name, isWithin]) => (isWithin(target, own) ? [] : [name]));

/** Whether a change lets a key do anything that it may not do now. */
export const widens = (after: Bounds, before: Bounds): boolean => boundsBeyond(after, before).length > 0;

/** What an actor has to hand on. */
export interface Authority {
  /** The key that acts, as it is stored now; null for a person who signed in, an app and an operator. */
  ownKey: ApiKey | null;
  /** Throws insufficient_scope when the key has more than the actor: scopes, bounds or environment. */
  requireWithin(target: ApiKey, owner: Account): void;
}

export type AuthorityOf = (actor: KeyActor) => Promise<Authority>;

/** `of` throws unauthenticated for a key that has ended since it was let in. */
export function createAuthorityOf({
  apiKeys,
  keyScopes,
  clock,
}: {
  apiKeys: Pick<ApiKeyStore, 'find'>;
  keyScopes: KeyScopes;
  clock: Clock;
}): AuthorityOf {
  return async (actor) => {
    const ownKey = actor.keyId === null ? null : ((await apiKeys.find(actor.keyId))?.key ?? null);
    const isOver = actor.keyId !== null && (!ownKey || stateOf(ownKey, clock.nowMs()) !== 'active');
    if (isOver) throw new AppError('unauthenticated', { public: 'The credential is not valid.' });
    return {
      ownKey,
      requireWithin(target, owner) {
        if (actor.isApp) {
          throw new AppError('insufficient_scope', {
            public: 'An app hands on no keys and widens none; use a key of your own or sign in.',
          });
        }
        requireNoScopesBeyond(keyScopes.beyond(target.scopes, owner, actor));
        const beyond = ownKey ? boundsBeyond(target, ownKey) : [];
        if (actor.environment !== null && target.environment !== actor.environment) beyond.push('environment');
        if (beyond.length === 0) return;
        throw new AppError('insufficient_scope', {
          public: `A key hands on no more than it has itself. Beyond it: ${beyond.join(', ')}.`,
        });
      },
    };
  };
}

export function requireNoScopesBeyond(beyond: readonly string[]): void {
  if (beyond.length === 0) return;
  const scope = beyond.join(' ');
  throw new AppError('insufficient_scope', {
    public: `A key cannot be given more than its owner and its maker have: ${scope}`,
    facts: { scope },
  });
}
