import { AppError } from '../../kit/errors.ts';
import { checkedWithProvider, refuseDuplicate } from './add-provider-key.ts';
import { sealValue } from './envelope.ts';
import type { ProviderKey } from './provider-key.ts';
import { fingerprintOf, maskOf, providerKeyProblems } from './provider-key-rules.ts';
import { shown } from './shown.ts';
import { openedValue } from './use-provider-key.ts';
import type { Vault, VaultActor } from './vault.ts';
import type { VaultParts } from './vault-parts.ts';

/** What owners do with the keys they have. Another owner's key is as good as none. */
export function createManage(parts: VaultParts): Pick<Vault, 'list' | 'get' | 'update' | 'makeDefault' | 'remove'> {
  const { store, ring, digester, providers, audit, clock } = parts;

  async function getKey(id: string, ownerId: string): Promise<ProviderKey> {
    const key = await store.find(ownerId, id);
    if (!key) throw notFound();
    return key;
  }

  return {
    list: async ({ ownerId }) => (await store.list(ownerId)).map((key) => shown(key, ring)),
    get: async (id, { ownerId }) => shown(await getKey(id, ownerId), ring),

    async update(id, change, actor) {
      const fields = providerKeyProblems(change, providers);
      if (change.value === undefined && change.label === undefined) {
        fields.push({ field: 'value', problem: 'give a new value, a new label or both' });
      }
      if (fields.length > 0) throw new AppError('invalid_request', { facts: { fields } });
      const before = await getKey(id, actor.ownerId);
      const version = before.version + 1;
      const next: ProviderKey = { ...before, version, label: change.label ?? before.label };
      let checked = false;
      if (change.value !== undefined) {
        next.fingerprint = fingerprintOf(digester, before, change.value);
        next.mask = maskOf(change.value);
        next.updatedAt = clock.nowMs();
        refuseDuplicate(next, await store.list(actor.ownerId));
        checked = await checkedWithProvider(parts, before.provider, change.value);
      }
      // A new label seals the value anew, too: to write back the wrapping that was read could undo a rotation of the ring.
      Object.assign(next, sealValue(change.value ?? openedValue(before, ring), next, ring));
      if (!(await store.replace(next, before.version))) {
        await getKey(id, actor.ownerId);
        throw new AppError('conflict', { public: 'This key was changed by somebody else meanwhile.' });
      }
      const changed = (['label', 'value'] as const).filter((name) => change[name] !== undefined);
      await record('provider_key.updated', next, actor, { change: changed.join(' ') });
      return { key: shown(next, ring), checked };
    },

    async makeDefault(id, actor) {
      if (!(await store.makeDefault(actor.ownerId, id))) throw notFound();
      const key = await getKey(id, actor.ownerId);
      await record('provider_key.updated', key, actor, { change: 'default' });
      return shown(key, ring);
    },

    async remove(id, actor) {
      const key = await getKey(id, actor.ownerId);
      if (!(await store.remove(actor.ownerId, id))) throw notFound();
      await record('provider_key.removed', key, actor);
    },
  };

  function record(
    type: 'provider_key.updated' | 'provider_key.removed',
    { id: keyId, provider }: ProviderKey,
    { ownerId: accountId, id: by, ip, requestId }: VaultActor,
    more: Record<string, string> = {},
  ): Promise<void> {
    return audit(type, { accountId, ip, requestId, details: { keyId, provider, by, ...more } });
  }
}

const notFound = (): AppError => new AppError('not_found', { public: 'There is no such provider key.' });
