import { hostname } from 'node:os';
import type { Config } from './config/config.ts';
import type { Secrets } from './config/secrets.ts';
import { createManageAccounts, type ManageAccounts } from './domain/accounts/manage-accounts.ts';
import { createPasswords, type Passwords } from './domain/accounts/password.ts';
import { createAudit, type RecordAudit } from './domain/audit/audit.ts';
import type { Client } from './domain/clients/client.ts';
import { createManageClients, type ManageClients } from './domain/clients/manage-clients.ts';
import { type DataKeys, loadDataKeys } from './domain/data-keys/load-data-keys.ts';
import { createExclusively } from './domain/leases/exclusively.ts';
import { createThrottle, type Throttle } from './domain/limits/throttle.ts';
import { createManageResources, type ManageResources } from './domain/resources/manage-resources.ts';
import type { ResourceServer } from './domain/resources/resource-server.ts';
import { type KeySet, loadKeySet } from './domain/signing-keys/key-set.ts';
import { createKeyRotation, type KeyRotation } from './domain/signing-keys/rotation.ts';
import { createJobs } from './jobs/index.ts';
import { createJobRunner, type JobRunner } from './jobs/runner.ts';
import { type Cache, createCache } from './kit/cache.ts';
import type { Clock } from './kit/clock.ts';
import { createDigester, type Digester } from './kit/digest.ts';
import { newId } from './kit/ids.ts';
import type { Log } from './kit/log.ts';
import { createSealer, type Sealer } from './kit/seal.ts';
import type { Stores } from './storage/stores.ts';

/** A bound on staleness, in milliseconds: what another process changed is seen within it even if its message is lost. */
const CACHE_MS = 5000;
const CLIENT_CHANGED = 'client-changed';
const RESOURCE_CHANGED = 'resource-changed';
const KEYS_CHANGED = 'keys-changed';

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
  manageClients: ManageClients;
  manageResources: ManageResources;
  rotation: KeyRotation;
  keySet: KeySet;
  jobs: JobRunner;
  findClient: (id: string) => Promise<Client | null>;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  onKeysChanged: (handler: () => void) => void;
}

export async function createServices({
  config,
  secrets,
  stores,
  log,
  clock,
}: {
  config: Config;
  secrets: Secrets;
  stores: Stores;
  log: Log;
  clock: Clock;
}): Promise<Services> {
  const sealer = createSealer(secrets.ring);
  const dataKeys = await loadDataKeys({ store: stores.dataKeys, sealer, clock });
  const digester = createDigester(dataKeys.digest);
  const audit = createAudit({ store: stores.audit, clock });
  const holder = newId(hostname());
  const { messages } = stores;

  const clients: Cache<Client> = createCache({ max: 10_000, ttlMs: CACHE_MS, load: (id) => stores.clients.find(id) });
  const resources: Cache<ResourceServer> = createCache({
    max: 1000,
    ttlMs: CACHE_MS,
    load: (id) => stores.resources.find(id),
  });
  messages.subscribe(CLIENT_CHANGED, (id) => clients.forget(id));
  messages.subscribe(RESOURCE_CHANGED, (id) => resources.forget(id));

  const passwords = createPasswords(config.passwords);
  const manageClients = createManageClients({
    clients: stores.clients,
    tokens: stores.tokens,
    consents: stores.consents,
    audit,
    digester,
    clock,
    isResourceServer: async (id) => (await stores.resources.list()).some((resource) => resource.clientId === id),
    onChanged: (id) => messages.publish(CLIENT_CHANGED, id),
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
    throttle: createThrottle({ store: stores.throttle, digester, clock }),
    passwords,
    manageAccounts: createManageAccounts({ accounts: stores.accounts, tokens: stores.tokens, passwords, audit, clock }),
    manageClients,
    manageResources: createManageResources({
      resources: stores.resources,
      manageClients,
      audit,
      clock,
      onChanged: (identifier) => messages.publish(RESOURCE_CHANGED, identifier),
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
      }),
      leases: stores.leases,
      holder,
      clock,
      log,
    }),
    findClient: clients.find,
    findResource: resources.find,
    onKeysChanged: (handler) => messages.subscribe(KEYS_CHANGED, handler),
  };
}
