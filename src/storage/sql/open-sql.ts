import createKnex from 'knex';
import { readDatabaseAddress } from '../../config/database-address.ts';
import type { Log } from '../../kit/log.ts';
import type { Stores } from '../stores.ts';
import { createAccountStore } from './account-store.ts';
import { createApiKeyStore } from './api-key-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createClientStore } from './client-store.ts';
import { createConsentStore } from './consent-store.ts';
import { createDataKeyStore } from './data-key-store.ts';
import { openDatabase } from './database.ts';
import { createIdempotentRequestStore } from './idempotent-request-store.ts';
import { knexConfig, pooling, SQL_TIMEOUTS, type SqlTimeouts } from './knex-config.ts';
import { createLeaseStore } from './lease-store.ts';
import { createMigrator } from './migrator.ts';
import { createProbe } from './probe.ts';
import { createProviderKeyStore } from './provider-key-store.ts';
import { createRateLimitStore } from './rate-limit-store.ts';
import { createResourceServerStore } from './resource-server-store.ts';
import { createRowMacStore } from './row-mac-store.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createSqliteFile, watchSqliteFile } from './sqlite-file.ts';
import { createThrottleStore } from './throttle-store.ts';
import { createTokenStore } from './token-store.ts';
import { createUsageStore } from './usage-store.ts';

interface SqlInput {
  databaseUrl: string;
  log: Log;
  poolSize?: number;
  timeouts?: Partial<SqlTimeouts>;
}

/** All that SQL offers. Connects with the first statement. */
export type SqlStores = Omit<Stores, 'messages' | 'counters' | 'unreadable' | 'join' | typeof Symbol.asyncDispose> & {
  statementCount(): number;
  close(): Promise<void>;
};

export function openSql({ databaseUrl, log, poolSize, timeouts = {} }: SqlInput): SqlStores {
  const address = readDatabaseAddress(databaseUrl);
  const { dialect } = address;
  if (address.dialect === 'sqlite') createSqliteFile(address.file);

  const settings = {
    databaseUrl,
    ...(poolSize === undefined ? {} : { poolSize }),
    // Each failed request is logged by whoever answers it.
    log: (message: unknown) => log.debug({ detail: String(message) }, 'knex'),
  };
  const limits: SqlTimeouts = {
    connectMs: timeouts.connectMs ?? SQL_TIMEOUTS.connectMs,
    acquireMs: timeouts.acquireMs ?? SQL_TIMEOUTS.acquireMs,
    statementMs: timeouts.statementMs ?? SQL_TIMEOUTS.statementMs,
    lockMs: timeouts.lockMs ?? SQL_TIMEOUTS.lockMs,
  };
  const database = openDatabase({
    dialect,
    config: knexConfig({ ...settings, timeouts: limits }),
    ...pooling(address, limits),
    ...(address.dialect === 'sqlite' ? { requireIntact: watchSqliteFile(address.file, log) } : {}),
  });

  return {
    accounts: createAccountStore({ database }),
    clients: createClientStore({ database }),
    resources: createResourceServerStore({ database }),
    consents: createConsentStore({ database }),
    tokens: createTokenStore({ database }),
    signingKeys: createSigningKeyStore({ database }),
    dataKeys: createDataKeyStore({ database }),
    apiKeys: createApiKeyStore({ database }),
    providerKeys: createProviderKeyStore({ database }),
    usage: createUsageStore({ database }),
    rateLimits: createRateLimitStore({ database }),
    idempotentRequests: createIdempotentRequestStore({ database }),
    throttle: createThrottleStore({ database }),
    audit: createAuditStore({ database }),
    leases: createLeaseStore({ database }),
    rowMacs: createRowMacStore({ database }),

    migrations: createMigrator({
      dialect,
      async withKnex(use) {
        // A database in memory is nowhere else; and SQLite has no statement timeout to get rid of.
        if (dialect === 'sqlite') return use(database.knex);
        const unlimited = { ...limits, acquireMs: 30_000, statementMs: 0, lockMs: 0 };
        const knex = createKnex(knexConfig({ ...settings, poolSize: 3, timeouts: unlimited }));
        try {
          return await use(knex);
        } finally {
          await knex.destroy();
        }
      },
    }),

    async storeNames() {
      const rows = await database.rows<{ value: string }>(
        `select value from deployment where name = 'store_names'`,
        [],
      );
      return rows[0]?.value === 'own' ? 'own' : 'shared';
    },

    ping: createProbe(database),
    statementCount: database.statementCount,
    close: database.close,
  };
}
