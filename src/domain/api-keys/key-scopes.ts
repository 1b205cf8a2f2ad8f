import type { Account } from '../accounts/account.ts';
import { expandScopes, type ScopeDefinition, userScopes } from '../scopes/scope.ts';
import type { KeyActor } from './manage-api-keys.ts';

/** Which scopes a key may get: never more than its owner and whoever makes it have themselves. */
export interface KeyScopes {
  /** Names that no scope of the API has. */
  unknown(names: readonly string[]): string[];
  /** Those that this owner may not have or this actor may not hand on. */
  beyond(names: readonly string[], owner: Account, actor: Pick<KeyActor, 'scopes'>): string[];
  /** What a key gets that names none. */
  usual(owner: Account, actor: Pick<KeyActor, 'scopes'>): string[];
}

export function createKeyScopes({
  scopes: catalogue,
  defaultScopes,
}: {
  scopes: readonly ScopeDefinition[];
  defaultScopes: readonly string[];
}): KeyScopes {
  const known = new Set(catalogue.map(({ name }) => name));
  const forUsers = new Set(userScopes(catalogue));

  function mayGive(owner: Account, actor: Pick<KeyActor, 'scopes'>): (name: string) => boolean {
    const owned = owner.scopes === null ? forUsers : expandScopes(owner.scopes, catalogue);
    // What the actor has comes expanded; expanding it again would make no difference.
    const handed = actor.scopes === null ? null : new Set(actor.scopes);
    return (name) => forUsers.has(name) && owned.has(name) && (handed === null || handed.has(name));
  }
  return {
    unknown: (names) => names.filter((name) => !known.has(name)),
    beyond(names, owner, actor) {
      const may = mayGive(owner, actor);
      return names.filter((name) => !may(name));
    },
    usual: (owner, actor) => defaultScopes.filter(mayGive(owner, actor)),
  };
}
