import { createAdd } from './add-provider-key.ts';
import { createManage } from './manage-provider-keys.ts';
import { createUse } from './use-provider-key.ts';
import type { Vault } from './vault.ts';
import type { VaultParts } from './vault-parts.ts';

/** Keeps no value in memory beyond the call that asks for it. */
export function createVault(parts: VaultParts): Vault {
  return {
    add: createAdd(parts),
    ...createManage(parts),
    ...createUse(parts),
    providers: () => parts.providers,
  };
}
