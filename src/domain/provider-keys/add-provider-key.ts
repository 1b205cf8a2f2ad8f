import { AppError } from '../../kit/errors.ts';
import { newId } from '../../kit/ids.ts';
import { createRepeatable, type RepeatableRequest } from '../idempotency/create-repeatable.ts';
import { sealValue } from './envelope.ts';
import type { ProviderKey } from './provider-key.ts';
import { fingerprintOf, MOST_KEYS, maskOf, providerKeyProblems } from './provider-key-rules.ts';
import { shown } from './shown.ts';
import type { Vault, VaultActor } from './vault.ts';
import type { VaultParts } from './vault-parts.ts';

type Added = Awaited<ReturnType<Vault['add']>>;

export function createAdd(parts: VaultParts): Vault['add'] {
  const { store, ring, digester, providers, requests, audit, clock } = parts;
  const begin = createRepeatable({ requests, digester, clock });

  return async (input, actor, repeatable) => {
    const fields = providerKeyProblems(input, providers);
    if (fields.length > 0) throw new AppError('invalid_request', { facts: { fields } });
    const request =
      repeatable && begin({ ...repeatable, caller: [actor.ownerId, actor.id], operation: 'provider-key.add' });
    const before = await request?.firstAnswer();
    if (before) return repeated(before, actor);

    const key = newKey(input, actor);
    const others = await store.list(actor.ownerId);
    // This very request may have been answered since, by another one that was faster.
    if (others.length > 0) {
      const first = await request?.firstAnswer();
      if (first) return repeated(first, actor);
    }
    refuseDuplicate(key, others);
    if (others.length >= MOST_KEYS) throw tooMany();
    const checked = await checkedWithProvider(parts, input.provider, input.value);

    const answer = JSON.stringify({ id: key.id, checked });
    const outcome = await store.insert(key, request?.record(answer));
    if (outcome.kind === 'repeated' && request) return repeated(request.answerOf(outcome.first), actor);
    if (outcome.kind !== 'inserted') return lostTo(key, actor, request);
    const all = await store.list(actor.ownerId);
    // Others may have been added at the same moment: then none stays that makes it too many.
    if (all.length > MOST_KEYS) {
      await store.remove(actor.ownerId, key.id);
      throw tooMany();
    }
    const { ownerId: accountId, id: by, ip, requestId } = actor;
    const details = { keyId: key.id, provider: key.provider, by };
    await audit('provider_key.added', { accountId, ip, requestId, details });
    return { key: shown(all.find(({ id }) => id === key.id) ?? key, ring), checked };
  };

  function newKey(input: Parameters<Vault['add']>[0], { ownerId }: VaultActor): ProviderKey {
    const { provider, value } = input;
    const place = { id: newId('pvk'), ownerId, provider, version: 1 };
    const nowMs = clock.nowMs();
    return {
      ...place,
      ...sealValue(value, place, ring),
      label: input.label ?? providers.find(({ name }) => name === provider)?.title ?? provider,
      mask: maskOf(value),
      fingerprint: fingerprintOf(digester, place, value),
      isDefault: input.makeDefault ?? false,
      createdAt: nowMs,
      updatedAt: nowMs,
      lastUsedAt: null,
    };
  }

  async function repeated(answer: string, { ownerId }: VaultActor): Promise<Added> {
    const { id, checked } = JSON.parse(answer) as { id: string; checked: boolean };
    const key = await store.find(ownerId, id);
    if (!key) throw new AppError('conflict', { public: 'The key that this request stored was removed since.' });
    return { key: shown(key, ring), checked };
  }

  /** The same value was stored at the same moment: by this very request once more, or by another one. */
  async function lostTo(key: ProviderKey, actor: VaultActor, request: RepeatableRequest | undefined): Promise<Added> {
    const first = await request?.firstAnswer();
    if (first) return repeated(first, actor);
    refuseDuplicate(key, await store.list(actor.ownerId));
    throw new AppError('conflict', { public: 'This value is stored already.' });
  }
}

const tooMany = (): AppError =>
  new AppError('conflict', { public: `There are ${MOST_KEYS} provider keys already; remove one first.` });

/** `others`: all of the owner's. */
export function refuseDuplicate(
  key: Pick<ProviderKey, 'id' | 'provider' | 'fingerprint'>,
  others: readonly ProviderKey[],
): void {
  const same = others.find(
    ({ id, provider, fingerprint }) => id !== key.id && provider === key.provider && fingerprint === key.fingerprint,
  );
  if (same) throw new AppError('conflict', { public: `This value is stored already, as "${same.label}".` });
}

/** Whether the provider knows the value: false when it was not asked or did not say. Throws provider_key_refused. */
export async function checkedWithProvider(
  { providers, checkKey }: VaultParts,
  name: string,
  value: string,
): Promise<boolean> {
  const provider = providers.find((each) => each.name === name);
  // Keys of a provider that the operator took off the list stay, and nobody can be asked.
  const answer = provider ? await checkKey(provider, value) : 'unknown';
  if (answer === 'refused') throw new AppError('provider_key_refused', { facts: { provider: name } });
  return answer === 'accepted';
}
