import { AppError } from '../../kit/errors.ts';
import { createAdd } from './add-provider-key.ts';
import { createManage } from './manage-provider-keys.ts';
import { createUse } from './use-provider-key.ts';
import type { Vault, VaultActor } from './vault.ts';
import type { VaultParts } from './vault-parts.ts';

/** Keeps no value in memory beyond the call that asks for it. */
export function createVault(parts: VaultParts): Vault {
  const add = createAdd(parts);
  const manage = createManage(parts);
  // One line for each, so that a new way in is not forgotten: every method with an actor begins with the same question.
  return {
    add: async (input, actor, repeatable) => add(input, admitted(actor), repeatable),
    list: async (actor) => manage.list(admitted(actor)),
    get: async (id, actor) => manage.get(id, admitted(actor)),
    update: async (id, change, actor) => manage.update(id, change, admitted(actor)),
    makeDefault: async (id, actor) => manage.makeDefault(id, admitted(actor)),
    remove: async (id, actor) => manage.remove(id, admitted(actor)),
    ...createUse(parts),
    providers: () => parts.providers,
  };
}

/** Live traffic runs on what is stored here: a key for trying out could send it to somebody else's account. */
function admitted(actor: VaultActor): VaultActor {
  if (actor.environment === null) return actor;
  throw new AppError('insufficient_scope', {
    public: `A key of the environment ${actor.environment} has no part in provider keys; use one of the usual environment or sign in.`,
  });
}
