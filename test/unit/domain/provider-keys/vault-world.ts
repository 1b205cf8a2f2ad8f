/** A vault on a database in memory; only time, the audit trail's writing and the provider's answer can be replaced. */
import { expect } from 'chai';
import { createAudit } from '../../../../src/domain/audit/audit.ts';
import { createVault } from '../../../../src/domain/provider-keys/create-vault.ts';
import { PROVIDER_KEY_PURPOSE } from '../../../../src/domain/provider-keys/envelope.ts';
import type { ProviderKey } from '../../../../src/domain/provider-keys/provider-key.ts';
import { DEFAULT_PROVIDERS } from '../../../../src/domain/provider-keys/providers.ts';
import type { Vault, VaultActor } from '../../../../src/domain/provider-keys/vault.ts';
import type { VaultParts } from '../../../../src/domain/provider-keys/vault-parts.ts';
import { createDigester } from '../../../../src/kit/digest.ts';
import type { ErrorCodeName } from '../../../../src/kit/error-codes.ts';
import { AppError } from '../../../../src/kit/errors.ts';
import { createWrappingRing } from '../../../../src/kit/seal.ts';
import type { Stores } from '../../../../src/storage/stores.ts';
import { accountOf } from '../../../conformance/account-store.ts';
import { openStores } from '../../../storage/open-stores.ts';

export const OLD = 'o'.repeat(32);
export const NEW = 'n'.repeat(32);
export const ringOf = (...secrets: string[]) => createWrappingRing(secrets, PROVIDER_KEY_PURPOSE);

export const ADA: VaultActor = {
  ownerId: 'acc_ada',
  id: 'acc_ada',
  environment: null,
  ip: '192.0.2.1',
  requestId: 'req_1',
};
export const BOB: VaultActor = {
  ownerId: 'acc_bob',
  id: 'key_bob',
  environment: null,
  ip: '192.0.2.2',
  requestId: 'req_2',
};
export const API = { clientId: 'demo-api', ip: '192.0.2.3', requestId: 'req_3', credentialId: 'key_ada' };

/** A value as providers make them; the number tells them apart. */
export const providerValue = (number: number): string =>
  `sk-proj-${String(number).padStart(4, '0')}${'R4nd0m'.repeat(6)}`;

export interface VaultWorld extends AsyncDisposable {
  stores: Stores;
  vault: Vault;
  clock: { ms: number };
  /** The same database through other parts. */
  vaultWith(parts: Partial<VaultParts>): Vault;
  row(id: string, ownerId?: string): Promise<ProviderKey>;
}

export async function openVault(given: Partial<VaultParts> = {}): Promise<VaultWorld> {
  const stores = await openStores({ databaseUrl: 'sqlite::memory:' });
  for (const { ownerId: id } of [ADA, BOB]) await stores.accounts.insert(accountOf({ id }));
  const clock = { ms: 1_800_000_000_000 };
  const time = { nowMs: () => clock.ms, nowSeconds: () => Math.floor(clock.ms / 1000) };
  const parts: VaultParts = {
    store: stores.providerKeys,
    ring: ringOf(OLD),
    digester: createDigester(Buffer.alloc(32, 7)),
    providers: DEFAULT_PROVIDERS,
    checkKey: async () => 'unknown',
    requests: stores.idempotentRequests,
    audit: createAudit({ store: stores.audit, clock: time }),
    clock: time,
    ...given,
  };
  return {
    stores,
    clock,
    vault: createVault(parts),
    vaultWith: (other) => createVault({ ...parts, ...other }),
    async row(id, ownerId = ADA.ownerId) {
      const row = await stores.providerKeys.find(ownerId, id);
      if (!row) throw new Error(`there is no row ${id}`);
      return row;
    },
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  };
}

/** Whatever it was that made the promise fail; with which code. */
export async function failure(promise: Promise<unknown>, code: ErrorCodeName): Promise<AppError> {
  const error = await promise.then(
    () => expect.fail(`it must fail with ${code}`),
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(AppError);
  expect((error as AppError).code).to.equal(code);
  return error as AppError;
}

/** What became of calls that may fail: results, and the codes of the others. */
export async function settled<T>(calls: readonly Promise<T>[]): Promise<{ done: T[]; codes: string[] }> {
  const outcomes = await Promise.allSettled(calls);
  return {
    done: outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])),
    codes: outcomes.flatMap((outcome) =>
      outcome.status === 'rejected'
        ? [outcome.reason instanceof AppError ? outcome.reason.code : String(outcome.reason)]
        : [],
    ),
  };
}
