import type { Config } from './config/config.ts';
import { readDatabaseAddress } from './config/database-address.ts';
import type { Env } from './config/env.ts';
import { parseEnvironment } from './config/parse-environment.ts';
import { ConfigError } from './config/problems.ts';
import { loadSecrets } from './config/secrets.ts';
import { loadDialect, type Product } from './endpoints/api/load-dialect.ts';
import { systemClock } from './kit/clock.ts';
import { createLog, type Log } from './kit/log.ts';
import { SealError } from './kit/seal.ts';
import { createServices, type Services } from './services.ts';
import { openStorage } from './storage/open-storage.ts';
import type { Relay } from './storage/relayed-messages.ts';
import { closeToOthers } from './storage/sql/sqlite-file.ts';
import type { Stores } from './storage/stores.ts';

/**
 * The configuration: the environment, on top of what the chosen dialect and gatehouse.config.ts give as defaults. `parse`: what must be right with it. Throws ConfigError.
 */
export async function configure(
  env: Env,
  parse: (env: Env, defaults?: Product['settings']) => Config = parseEnvironment,
): Promise<{ config: Config; product: Product }> {
  const loading = loadDialect({
    dialect: env.GATEHOUSE_DIALECT || undefined,
    configFile: env.GATEHOUSE_CONFIG || null,
  });
  try {
    const product = await loading;
    return { config: parse(env, product.settings), product };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The operator wants all problems at once, those that the dialect did not let us come to as well.
    throw new ConfigError([...new Set([...error.problems, ...problemsOf(env, parse)])]);
  }
}

function problemsOf(env: Env, parse: (env: Env) => Config): readonly string[] {
  try {
    parse(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Opens the stores of a configuration; the caller disposes of them. */
export function openStores(config: Config, log: Log, relay?: Relay): Promise<Stores> {
  return openStorage({
    databaseUrl: config.databaseUrl,
    ...(config.redisUrl === null ? {} : { redisUrl: config.redisUrl }),
    ...(config.redisPrefix === null ? {} : { redisPrefix: config.redisPrefix }),
    ...(relay ? { relay } : {}),
    poolSize: config.databasePool,
    log,
    clock: systemClock,
  });
}

/**
 * From the environment to running services. Throws ConfigError, in words for the operator, whenever going on would be unsafe:
 * a bad setting, tables that are not up to date, a secret that does not open the database.
 */
export async function boot(
  env: Env,
  { log: given, relay }: { log?: Log; relay?: Relay } = {},
): Promise<Services & AsyncDisposable> {
  const { config, product } = await configure(env);
  const log = given ?? createLog({ level: config.logLevel });
  const address = readDatabaseAddress(config.databaseUrl);
  if (address.dialect === 'sqlite') closeToOthers(address.file, log);
  const stores = await openStores(config, log, relay);
  try {
    await requireTables(config, stores);
    const databaseIsEmpty = (await stores.dataKeys.list()).length === 0;
    const secrets = loadSecrets(env, config, databaseIsEmpty);
    const services = await createServices({ config, secrets, product, stores, log, clock: systemClock });
    return {
      ...services,
      async [Symbol.asyncDispose]() {
        await services.jobs.stop();
        await services.usage.stop();
        await stores[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await stores[Symbol.asyncDispose]();
    if (!(error instanceof SealError)) throw error;
    throw new ConfigError([
      `GATEHOUSE_SECRETS: no secret given opens this database (${error.message}). Set the secret it was made with; nothing was changed.`,
    ]);
  }
}

/** Development brings the tables up to date by itself; production leaves that to the release step. */
async function requireTables(config: Config, stores: Stores): Promise<void> {
  const pending = await stores.migrations.pending();
  if (pending.length === 0) return;
  if (config.production) {
    throw new ConfigError([
      `DATABASE_URL: ${pending.length} migration(s) are not applied (${pending.join(', ')}); run: gatehouse migrate up`,
    ]);
  }
  await stores.migrations.up();
}
