/** The management of keys on the real store, in memory, with two owners and a clock that can be moved. */
import type { Account } from '../../../../src/domain/accounts/account.ts';
import type { ApiKey } from '../../../../src/domain/api-keys/api-key.ts';
import { createManageApiKeys } from '../../../../src/domain/api-keys/create-manage-api-keys.ts';
import { createImportedDigests } from '../../../../src/domain/api-keys/imported-digests.ts';
import { createKeyDigests } from '../../../../src/domain/api-keys/key-digests.ts';
import { createKeyFormat } from '../../../../src/domain/api-keys/key-format.ts';
import type { IssuedApiKey, KeyActor } from '../../../../src/domain/api-keys/manage-api-keys.ts';
import { createAudit } from '../../../../src/domain/audit/audit.ts';
import type { AuditType } from '../../../../src/domain/audit/audit-event.ts';
import { loadPeppers } from '../../../../src/domain/data-keys/peppers.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { createDigester } from '../../../../src/kit/digest.ts';
import { AppError } from '../../../../src/kit/errors.ts';
import { createLog } from '../../../../src/kit/log.ts';
import { createSealer } from '../../../../src/kit/seal.ts';
import { openStorage } from '../../../../src/storage/open-storage.ts';

export const DAY_MS = 86_400_000;
export const IMPORT_KEY = Buffer.from('the key that the other system used');
export const SCOPES = [
  { name: 'read', description: 'To read' },
  { name: 'write', description: 'To write', includes: ['read'] },
  { name: 'admin', description: 'To do everything', includes: ['write'] },
  { name: 'keys:verify', description: 'For resource servers', clientsOnly: true },
];

export async function createWorld(
  settings: {
    leakPolicy?: 'revoke' | 'suspend';
    leakTakesDescendants?: boolean;
    lifetimeSeconds?: number | null;
    importKey?: Buffer | null;
  } = {},
) {
  const clock = { ...systemClock, atMs: 1_800_000_000_000, nowMs: () => clock.atMs };
  const stores = await openStorage({
    databaseUrl: 'sqlite::memory:',
    log: createLog({ level: 'silent', destination: { write: () => {} } }),
    clock,
  });
  await stores.migrations.up();
  const digester = createDigester(Buffer.alloc(32, 3));
  const peppers = await loadPeppers({
    store: stores.dataKeys,
    sealer: createSealer(['a key-encryption secret of the tests']),
    clock,
  });
  const announced: string[] = [];
  const format = createKeyFormat({
    environments: {
      live: { prefix: 'mem_live_', billable: true },
      test: { prefix: 'mem_test_', billable: false },
    },
    tagKey: digester,
  });
  const digests = createKeyDigests({ peppers });
  const {
    importKey = IMPORT_KEY,
    lifetimeSeconds = 365 * 86_400,
    leakPolicy = 'revoke',
    leakTakesDescendants = true,
  } = settings;
  const imported = createImportedDigests({ digester, hmacKey: importKey });
  const manage = createManageApiKeys({
    apiKeys: stores.apiKeys,
    accounts: stores.accounts,
    requests: stores.idempotentRequests,
    format,
    digests,
    imported,
    digester,
    scopes: SCOPES,
    defaultScopes: ['read', 'write'],
    defaultLifetimeSeconds: lifetimeSeconds,
    leakPolicy,
    leakTakesDescendants,
    maxLiveKeys: 1000,
    audit: createAudit({ store: stores.audit, clock }),
    announce: async (...tags) => void announced.push(...tags),
    clock,
  });

  async function account(email: string, scopes: readonly string[] | null = null): Promise<Account> {
    const account: Account = {
      id: `acc_${email.split('@')[0]}`,
      email,
      emailVerified: true,
      passwordHash: null,
      givenName: null,
      familyName: null,
      scopes,
      disabledAt: null,
      signedOutAt: null,
      createdAt: clock.atMs,
      updatedAt: clock.atMs,
    };
    await stores.accounts.insert(account);
    return account;
  }
  const ada = await account('ada@example.com');
  const grace = await account('grace@example.com', ['write']);

  const actor = (owner: Account, change: Partial<KeyActor> = {}): KeyActor => ({
    ownerId: owner.id,
    id: owner.id,
    scopes: ['admin', 'write', 'read'],
    environment: null,
    keyId: null,
    isApp: false,
    ip: '203.0.113.9',
    requestId: 'req_1',
    ...change,
  });

  return {
    stores,
    clock,
    announced,
    format,
    digests,
    imported,
    manage,
    peppers,
    ada,
    grace,
    asAda: actor(ada),
    asGrace: actor(grace, { scopes: ['write', 'read'] }),
    actor,
    issue: (change: object = {}, by = actor(ada)): Promise<IssuedApiKey> =>
      manage.issue({ name: 'My key', ...change }, by),
    /** Whether a text opens a key now, as the resolver decides it. */
    async works(text: string): Promise<boolean> {
      const parsed = format.parse(text);
      const found = parsed && (await stores.apiKeys.find(parsed.id));
      return found ? opens(found.key, text) : false;
    },
    /** Newest first; those of one key when it is named. */
    async events(type: AuditType, keyId?: string) {
      const all = await stores.audit.list({ type, limit: 1000 });
      return all
        .filter(({ details }) => keyId === undefined || details.keyId === keyId)
        .map(({ details, accountId }) => ({ ...details, accountId }));
    },
    close: () => stores[Symbol.asyncDispose](),
  };

  function opens(key: ApiKey, text: string): boolean {
    const nowMs = clock.nowMs();
    if (key.revokedAt !== null || key.suspendedAt !== null) return false;
    if (key.expiresAt !== null && key.expiresAt <= nowMs) return false;
    const { current, previous } = key;
    if (current && digests.matches(text, current)) return true;
    return previous !== null && previous.endsAt > nowMs && digests.matches(text, previous);
  }
}

export type World = Awaited<ReturnType<typeof createWorld>>;

/** The code, the missing scope and the wrong fields of a refusal; fails when nothing is refused. */
export async function refusalOf(attempt: Promise<unknown>) {
  const error = await attempt.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!(error instanceof AppError)) throw new Error('it was not refused', { cause: error });
  return {
    code: error.code,
    scope: error.facts.scope,
    fields: error.facts.fields?.map(({ field }) => field),
    text: error.public,
  };
}
