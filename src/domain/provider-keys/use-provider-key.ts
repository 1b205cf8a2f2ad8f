import { isWithin } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { SealError, type WrappingRing } from '../../kit/seal.ts';
import { openValue } from './envelope.ts';
import type { ProviderKey } from './provider-key.ts';
import { fingerprintOf, maskOf, providerKeyProblems } from './provider-key-rules.ts';
import { shown } from './shown.ts';
import type { Provider, Vault } from './vault.ts';
import type { VaultParts } from './vault-parts.ts';

/** Milliseconds; a write for each use would cost more than the use. */
const TOUCH_EVERY_MS = 60_000;

type User = Parameters<Vault['use']>[1];

/** What resource servers do with keys: each hand-over stands in the audit trail first. */
export function createUse({
  store,
  ring,
  digester,
  providers,
  audit,
  clock,
}: VaultParts): Pick<Vault, 'use' | 'passThrough'> {
  return {
    async use({ ownerId, provider: name, keyId }, by) {
      const provider = providerNamed(name, providers);
      const key = keyId === undefined ? await store.findDefault(ownerId, name) : await store.find(ownerId, keyId);
      if (key?.provider !== name) {
        throw new AppError('provider_key_missing', {
          public: `No API key configured for provider: ${name}`,
          facts: { provider: name },
        });
      }
      const value = openedValue(key, ring);
      const nowMs = clock.nowMs();
      const lastUsedAt = key.lastUsedAt ?? 0;
      if (!isWithin(lastUsedAt, TOUCH_EVERY_MS, nowMs)) await store.touch(key.id, nowMs);
      // Last of all: nothing can fail between what the trail says was handed out and its handing out.
      await audit('provider_key.used', eventOf(ownerId, by, { keyId: key.id, provider: name }));
      return { value, key: shown(key, ring), provider };
    },

    async passThrough({ ownerId, provider: name, value }, by) {
      const provider = providerNamed(name, providers);
      const fields = providerKeyProblems({ value }, providers);
      if (fields.length > 0) throw new AppError('invalid_request', { facts: { fields } });
      await audit('provider_key.passed_through', eventOf(ownerId, by, { provider: name }));
      return {
        mask: maskOf(value),
        fingerprint: fingerprintOf(digester, { ownerId, provider: name }, value),
        provider,
      };
    },
  };
}

/** Throws provider_key_unreadable when the ring does not open it: never an empty value. */
export function openedValue(key: ProviderKey, ring: WrappingRing): string {
  try {
    return openValue(key, ring);
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new AppError('provider_key_unreadable', {
      internal: `provider key ${key.id}, wrapped by ${key.wrappedBy}: ${cause.message}`,
      facts: { provider: key.provider },
      cause,
    });
  }
}

function providerNamed(name: string, providers: readonly Provider[]): Provider {
  const provider = providers.find((each) => each.name === name);
  if (!provider) throw new AppError('not_found', { public: 'There is no such provider.' });
  return provider;
}

function eventOf(accountId: string, by: User, details: Record<string, string>) {
  const { clientId, ip, requestId, credentialId } = by;
  return {
    accountId,
    clientId,
    ip,
    requestId,
    details: credentialId === null ? details : { ...details, credentialId },
  };
}
