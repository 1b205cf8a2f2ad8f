import { hostname } from 'node:os';
import type { Config } from './config/config.ts';
import type { Secrets } from './config/secrets.ts';
import { createDeleteAccount, type DeleteAccount } from './domain/accounts/delete-account.ts';
import { createManageAccounts, type ManageAccounts } from './domain/accounts/manage-accounts.ts';
import { createPasswords, type Passwords } from './domain/accounts/password.ts';
import { createManageApiKeys } from './domain/api-keys/create-manage-api-keys.ts';
import { createImportedDigests, type ImportedDigests } from './domain/api-keys/imported-digests.ts';
import { createKeyDigests, type KeyDigests } from './domain/api-keys/key-digests.ts';
import { createKeyFormat, type KeyFormat } from './domain/api-keys/key-format.ts';
import type { ManageApiKeys } from './domain/api-keys/manage-api-keys.ts';
import { createWarnExpiring } from './domain/api-keys/warn-expiring.ts';
import { createAudit, type RecordAudit } from './domain/audit/audit.ts';
import type { Client } from './domain/clients/client.ts';
import { createManageClients, type ManageClients } from './domain/clients/manage-clients.ts';
import type { Announce, CredentialTag } from './domain/credentials/announce.ts';
import { announcingTokens } from './domain/credentials/announcing-tokens.ts';
import { readAnnouncement } from './domain/credentials/read-announcement.ts';
import { deploymentName } from './domain/data-keys/deployment.ts';
import { type DataKeys, loadDataKeys } from './domain/data-keys/load-data-keys.ts';
import { loadPeppers } from './domain/data-keys/peppers.ts';
import { createExclusively } from './domain/leases/exclusively.ts';
import { createRateLimits, type RateLimits } from './domain/limits/rate-limits.ts';
import { createThrottle, type Throttle } from './domain/limits/throttle.ts';
import { LOGIN_CLIENT_ID } from './domain/login/login-session.ts';
import { createVault } from './domain/provider-keys/create-vault.ts';
import { PROVIDER_KEY_PURPOSE } from './domain/provider-keys/envelope.ts';
import { DEFAULT_PROVIDERS } from './domain/provider-keys/providers.ts';
import type { Vault } from './domain/provider-keys/vault.ts';
import { createManageResources, type ManageResources } from './domain/resources/manage-resources.ts';
import type { ResourceServer } from './domain/resources/resource-server.ts';
import { type CloseWindow, createCloseWindow, createCloseWindowInTime } from './domain/row-macs/close-window.ts';
import { createRowMacs, type RowMacs } from './domain/row-macs/row-macs.ts';
import { openRowWindow, type RowWindow } from './domain/row-macs/row-window.ts';
import { BUILT_IN_SCOPES, type ScopeDefinition, stillHeld, userScopes } from './domain/scopes/scope.ts';
import { type KeySet, loadKeySet } from './domain/signing-keys/key-set.ts';
import { createKeyRotation, type KeyRotation } from './domain/signing-keys/rotation.ts';
import type { UsageRecorder } from './domain/usage/usage.ts';
import { createUsage } from './domain/usage/usage-recorder.ts';
import { createProviderKeyCheck } from './endpoints/api/check-provider-key.ts';
import type { Product } from './endpoints/api/load-dialect.ts';
import { createJobs } from './jobs/index.ts';
import { createJobRunner, type JobRunner } from './jobs/runner.ts';
import { type Clock, monotonicMs } from './kit/clock.ts';
import { createDigester, type Digester } from './kit/digest.ts';
import { newId } from './kit/ids.ts';
import type { Log } from './kit/log.ts';
import { createSealer, createWrappingRing, type Sealer } from './kit/seal.ts';
import { createTaggedCache } from './kit/tagged-cache.ts';
import { authenticStores } from './storage/authentic-stores.ts';
import { createMemoryRateLimitStore } from './storage/memory/memory-rate-limit-store.ts';
import { createMemoryThrottleStore } from './storage/memory/memory-throttle-store.ts';
import type { Stores } from './storage/stores.ts';

/** A bound on staleness, in milliseconds: what another process changed is seen within it even if its message is lost. */
export const CACHE_MS = 5000;
/** Counters of a process while the shared ones are away. */
const MAX_LOCAL_COUNTERS = 100_000;
const KEYS_CHANGED = 'keys-changed';
const CREDENTIALS_CHANGED = 'credentials-changed';
const ROWS_AUTHENTICATED = 'rows-authenticated';
const ROW_MACS_MIGRATION = '0003-row-macs';

/** Everything the server does, without a way in. The web server and the command line are built on it. */
export interface Services {
  config: Config;
  stores: Stores;
  log: Log;
  clock: Clock;
  sealer: Sealer;
  digester: Digester;
  dataKeys: DataKeys;
  audit: RecordAudit;
  throttle: Throttle;
  passwords: Passwords;
  manageAccounts: ManageAccounts;
  deleteAccount: DeleteAccount;
  manageClients: ManageClients;
  manageResources: ManageResources;
  rotation: KeyRotation;
  keySet: KeySet;
  jobs: JobRunner;
  findClient: (id: string) => Promise<Client | null>;
  /** The same, from the store in any case, to be remembered: what is remembered has proved to be too old, or a guess was wrong. */
  renewClient: (id: string) => Promise<Client | null>;
  /** As it is now, for what is remembered itself: two ages must not add up. */
  readClient: (id: string) => Promise<Client | null>;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  onKeysChanged: (handler: () => void) => void;
  product: Product;
  /** Every scope of the product's API. */
  catalogue: readonly ScopeDefinition[];
  keyFormat: KeyFormat;
  keyDigests: KeyDigests;
  importedDigests: ImportedDigests;
  manageApiKeys: ManageApiKeys;
  vault: Vault;
  usage: UsageRecorder;
  rateLimits: RateLimits;
  announce: Announce;
  rowMacs: RowMacs;
  rowWindow: RowWindow;
  closeRowWindow: CloseWindow;
  /** Tags of credentials that changed somewhere, and when that was said (milliseconds since the epoch). */
  onCredentialsChanged: (handler: (tags: readonly CredentialTag[], saidAtMs: number) => void) => void;
}

/** The outbound request that checks a provider key; replaced in tests. */
export type Fetch = typeof fetch;

export async function createServices({
  config,
  secrets,
  product,
  stores: given,
  log,
  clock,
  fetch: outbound = fetch,
}: {
  config: Config;
  secrets: Secrets;
  product: Product;
  stores: Stores;
  log: Log;
  clock: Clock;
  fetch?: Fetch;
}): Promise<Services> {
  const { messages } = given;
  const announce: Announce = (...tags) =>
    messages.publish(CREDENTIALS_CHANGED, JSON.stringify({ tags, at: clock.nowMs() }));
  const { dialect } = product;
  const catalogue = [...dialect.scopes, ...BUILT_IN_SCOPES];
  const api = apiOf(config, dialect, catalogue, clock);

  const sealer = createSealer(secrets.ring);
  const dataKeys = await loadDataKeys({ store: given.dataKeys, sealer, clock });
  if (given.join) given.join({ name: deploymentName(dataKeys), names: await given.storeNames() });
  const digester = createDigester(dataKeys.digest);
  const rowWindow = await openRowWindow({ store: given.dataKeys, sealer });
  const rowMacs = createRowMacs({
    digester,
    isClosed: rowWindow.isClosed,
    onUnusable: (table, id) =>
      log.warn({ table, id }, 'a row that authorizes was not written by this server or was changed; it is not used'),
  });
  const authentic = authenticStores(given, rowMacs);
  const stores: Stores = { ...authentic, tokens: announcingTokens(authentic.tokens, announce) };
  const audit = createAudit({ store: stores.audit, clock });
  messages.subscribe(ROWS_AUTHENTICATED, () => void rowWindow.refresh().catch(() => undefined));
  const closeRowWindow = createCloseWindow({
    store: stores.rowMacs,
    macs: rowMacs,
    window: rowWindow,
    audit,
    onClosed: () => messages.publish(ROWS_AUTHENTICATED, ''),
  });
  const holder = newId(hostname());

  const clients = createTaggedCache<Client>({
    max: 10_000,
    ttlMs: CACHE_MS,
    tagsOf: ({ id, ownerId }) => [`client:${id}`, ...(ownerId === null ? [] : [`account:${ownerId}`])],
    doubtfulMs: 0,
    clock,
  });
  const resources = createTaggedCache<ResourceServer>({
    max: 1000,
    ttlMs: CACHE_MS,
    tagsOf: ({ identifier }) => [`resource:${identifier}`],
    doubtfulMs: 0,
    clock,
  });
  const onCredentialsChanged: Services['onCredentialsChanged'] = (handler) =>
    messages.subscribe(CREDENTIALS_CHANGED, (body) => {
      const announcement = readAnnouncement(body);
      if (announcement) handler(announcement.tags, announcement.at);
      else given.unreadable.note('message', CREDENTIALS_CHANGED);
    });
  onCredentialsChanged((tags) => {
    for (const tag of tags) {
      clients.forget(tag);
      resources.forget(tag);
    }
  });

  /** A client that a user made ends with its owner, and has no more than its owner has. */
  async function findLiveClient(id: string): Promise<Client | null> {
    const client = await stores.clients.find(id);
    if (!client || client.ownerId === null) return client;
    const owner = await stores.accounts.find(client.ownerId);
    if (!owner || owner.disabledAt !== null) return null;
    return { ...client, scopes: stillHeld(client.scopes, owner.scopes, catalogue) };
  }

  const passwords = createPasswords(config.passwords);
  const manageAccounts = createManageAccounts({
    accounts: stores.accounts,
    tokens: stores.tokens,
    passwords,
    audit,
    announce,
    clock,
    userScopes: userScopes(catalogue),
  });
  const manageClients = createManageClients({
    clients: stores.clients,
    tokens: stores.tokens,
    consents: stores.consents,
    audit,
    digester,
    clock,
    isResourceServer: async (id) => (await stores.resources.list()).some((resource) => resource.clientId === id),
    onChanged: (id) => announce(`client:${id}`),
  });
  const rotation = createKeyRotation({
    store: stores.signingKeys,
    sealer,
    schedule: config.keys,
    audit,
    clock,
    exclusively: createExclusively({ leases: stores.leases, holder, clock }),
    onChanged: () => messages.publish(KEYS_CHANGED, ''),
  });
  const keyFormat = createKeyFormat({ environments: dialect.keys.environments, tagKey: digester });
  const keyDigests = createKeyDigests({ peppers: await loadPeppers({ store: stores.dataKeys, sealer, clock }) });
  const importedDigests = createImportedDigests({
    digester,
    hmacKey: secrets.importHmacKey === null ? null : Buffer.from(secrets.importHmacKey),
  });
  // Before the key set is read: an empty database has no key yet.
  await rotation.run();

  return {
    config,
    stores,
    log,
    clock,
    sealer,
    digester,
    dataKeys,
    audit,
    throttle: createThrottle({
      store: stores.throttle,
      fallback: createMemoryThrottleStore({ max: MAX_LOCAL_COUNTERS }),
      // SQL that is busy is not away: everything else waits for it too.
      answerWithinMs: config.redisUrl === null ? 5000 : 250,
      digester,
      clock,
    }),
    passwords,
    manageAccounts,
    deleteAccount: createDeleteAccount({
      accounts: stores.accounts,
      clients: stores.clients,
      tokens: stores.tokens,
      manageAccounts,
      manageClients,
      audit,
      revocationBoundMs: CACHE_MS,
    }),
    manageClients,
    manageResources: createManageResources({
      resources: stores.resources,
      manageClients,
      audit,
      clock,
      ownIdentifier: api.identifier,
      onChanged: (identifier) => announce(`resource:${identifier}`),
    }),
    rotation,
    keySet: await loadKeySet({ store: stores.signingKeys, sealer }),
    jobs: createJobRunner({
      jobs: createJobs({
        tokens: stores.tokens,
        throttle: stores.throttle,
        rotation,
        clock,
        audit: stores.audit,
        graceSeconds: config.lifetimes.refreshGrace,
        auditRetentionSeconds: config.auditRetentionSeconds,
        rateLimits: stores.rateLimits,
        idempotentRequests: stores.idempotentRequests,
        usage: stores.usage,
        usageRetentionSeconds: config.usageRetentionSeconds,
        closeRowWindow: createCloseWindowInTime({
          window: rowWindow,
          close: closeRowWindow,
          migratedAtMs: async () =>
            (await stores.migrations.status()).find(({ name }) => name === ROW_MACS_MIGRATION)?.appliedAt ?? null,
          clock,
        }),
        warnExpiring: createWarnExpiring({ apiKeys: stores.apiKeys, audit, clock }),
      }),
      leases: stores.leases,
      holder,
      clock,
      log,
    }),
    findClient: async (id) => (await clients.find(id, () => findLiveClient(id)))?.value ?? null,
    renewClient: async (id) => (await clients.renew(id, () => findLiveClient(id)))?.value ?? null,
    readClient: findLiveClient,
    findResource: async (identifier) =>
      identifier === api.identifier
        ? api
        : ((await resources.find(identifier, () => stores.resources.find(identifier)))?.value ?? null),
    onKeysChanged: (handler) => messages.subscribe(KEYS_CHANGED, handler),
    product,
    catalogue,
    keyFormat,
    keyDigests,
    importedDigests,
    manageApiKeys: createManageApiKeys({
      apiKeys: stores.apiKeys,
      accounts: stores.accounts,
      requests: stores.idempotentRequests,
      format: keyFormat,
      digests: keyDigests,
      imported: importedDigests,
      digester,
      scopes: catalogue,
      defaultScopes: dialect.keys.defaultScopes,
      defaultLifetimeSeconds: config.apiKeyLifetimeSeconds,
      maxLiveKeys: config.apiKeyMax,
      leakPolicy: config.leakPolicy,
      leakTakesDescendants: config.leakTakesDescendants,
      audit,
      announce,
      clock,
    }),
    vault: createVault({
      store: stores.providerKeys,
      ring: createWrappingRing(secrets.ring, PROVIDER_KEY_PURPOSE),
      digester,
      providers: product.providers ?? DEFAULT_PROVIDERS,
      checkKey: createProviderKeyCheck({ enabled: config.checkProviderKeys, fetch: outbound }),
      requests: stores.idempotentRequests,
      audit,
      clock,
    }),
    usage: createUsage({
      store: stores.usage,
      clock,
      onError: (err) => log.warn({ err }, 'usage counts: not written yet, or more keys than memory has room for'),
    }),
    rateLimits: createRateLimits({
      rules: product.limits ?? dialect.limits,
      store: stores.rateLimits,
      fallback: createMemoryRateLimitStore({ max: MAX_LOCAL_COUNTERS, nowMs: monotonicMs }),
      processes: config.processes,
      digester,
      // SQL queues a burst where Redis answers at once; that is no outage, and everything else waits for it too.
      budgetMs: config.redisUrl === null ? 5000 : 50,
      onFallback: (active, err) =>
        log.warn({ err }, active ? 'rate limits are counted in this process alone' : 'rate limits are shared again'),
    }),
    announce,
    rowMacs,
    rowWindow,
    closeRowWindow,
    onCredentialsChanged,
  };
}

/** Our own API as a resource server, for tokens that are meant for it: the scopes are those of the product. */
function apiOf(
  { issuer, lifetimes }: Config,
  { title }: Product['dialect'],
  catalogue: readonly ScopeDefinition[],
  clock: Clock,
): ResourceServer {
  return {
    identifier: issuer,
    name: title,
    scopes: catalogue.map(({ name, description }) => ({ name, description })),
    accessTokenFormat: 'jwt',
    accessTokenLifetimeSeconds: lifetimes.accessToken,
    clientId: LOGIN_CLIENT_ID,
    createdAt: clock.nowMs(),
  };
}
