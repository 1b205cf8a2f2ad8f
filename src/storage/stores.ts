import type { StoredAccounts } from '../domain/accounts/account-store.ts';
import type { ApiKeyStore } from '../domain/api-keys/api-key-store.ts';
import type { AuditStore } from '../domain/audit/audit-store.ts';
import type { ClientStore } from '../domain/clients/client-store.ts';
import type { ConsentStore } from '../domain/consents/consent-store.ts';
import type { DataKeyStore } from '../domain/data-keys/data-key-store.ts';
import type { IdempotentRequestStore } from '../domain/idempotency/idempotent-request.ts';
import type { LeaseStore } from '../domain/leases/lease-store.ts';
import type { RateLimitStore } from '../domain/limits/rate-limit-store.ts';
import type { ThrottleStore } from '../domain/limits/throttle-store.ts';
import type { ProviderKeyStore } from '../domain/provider-keys/provider-key-store.ts';
import type { ResourceServerStore } from '../domain/resources/resource-server-store.ts';
import type { RowMacStore } from '../domain/row-macs/row-mac-store.ts';
import type { SigningKeyStore } from '../domain/signing-keys/signing-key-store.ts';
import type { DurableTokenStore } from '../domain/tokens/token-store.ts';
import type { UsageStore } from '../domain/usage/usage-store.ts';
import type { Unreadable } from './unreadable.ts';

/** Everything one process keeps outside itself. Every method throws StoreUnavailableError when its server does not answer. */
export interface Stores {
  accounts: StoredAccounts;
  clients: ClientStore;
  resources: ResourceServerStore;
  consents: ConsentStore;
  tokens: DurableTokenStore;
  signingKeys: SigningKeyStore;
  dataKeys: DataKeyStore;
  apiKeys: ApiKeyStore;
  providerKeys: ProviderKeyStore;
  usage: UsageStore;
  rateLimits: RateLimitStore;
  idempotentRequests: IdempotentRequestStore;
  throttle: ThrottleStore;
  audit: AuditStore;
  leases: LeaseStore;
  rowMacs: RowMacStore;
  /** Resolves when every server takes a write; otherwise an AppError whose `internal` names 'database' or 'redis' and its condition. */
  ping(): Promise<void>;
  counters: StorageCounters;
  migrations: Migrations;
  messages: Messages;
  /** What was found in a shared store and is not of this version's making. */
  unreadable: Unreadable;
  /** With Redis: says which deployment this is, before anything is read there or said to other processes. */
  join?(deployment: Deployment): void;
  /** How this deployment's entries are named there. */
  storeNames(): Promise<Deployment['names']>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * `own`: entries in shared stores carry the deployment's name. `shared`: they are named as before there were such names, since what is
 * there must be found and processes of the older version may run beside.
 */
export interface Deployment {
  name: string;
  names: 'own' | 'shared';
}

/** Totals of this process since the storage was opened. */
export interface StorageCounters {
  /** Statements sent, BEGIN and COMMIT included; the set-up of a new connection is not. */
  sqlStatements(): number;
  /** Writes to the Redis socket: one per command sent alone or per flushed pipeline. The handshake is not counted. */
  redisRoundTrips(): number;
}

export interface Migrations {
  /** Names of the migrations that this version brings and the database lacks. Reads only. */
  pending(): Promise<string[]>;
  /** Applies them in order and returns their names. Waits while another process migrates. */
  up(): Promise<string[]>;
  /** `appliedAt` is milliseconds since the epoch. */
  status(): Promise<{ name: string; appliedAt: number | null }[]>;
}

/** Hints between the processes of one deployment, best effort: a message may be lost, never more than once per handler. */
export interface Messages {
  /** Never rejects. Reaches the handlers of this process too. */
  publish(topic: string, body: string): Promise<void>;
  subscribe(topic: string, handler: (body: string) => void): void;
}
