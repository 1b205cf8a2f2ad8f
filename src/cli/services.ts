import type { Services } from '../services.ts';
import type { Stores } from '../storage/stores.ts';

/**
 * Runs `work` on the services of the configured Gatehouse and closes them again. Loaded with the first command that needs
 * them. The log goes to standard error: standard output belongs to the command.
 */
export async function withServices<T>(work: (services: Services) => Promise<T>): Promise<T> {
  const [{ boot }, { readEnv }, log] = await Promise.all([
    import('../boot.ts'),
    import('../config/env.ts'),
    createCliLog('warn'),
  ]);
  await using services = await boot(readEnv(), { log });
  return await work(services);
}

/** The database alone, as it is: needs no secret and applies no migration. */
export async function withDatabase<T>(work: (stores: Stores) => Promise<T>): Promise<T> {
  const [{ configure, openStores }, { parseConfig }, { readEnv }, log] = await Promise.all([
    import('../boot.ts'),
    import('../config/config.ts'),
    import('../config/env.ts'),
    createCliLog('warn'),
  ]);
  const { config } = await configure(readEnv(), parseConfig);
  await using stores = await openStores({ ...config, redisUrl: null }, log);
  return await work(stores);
}

export async function createCliLog(level: 'silent' | 'warn') {
  const { createLog } = await import('../kit/log.ts');
  return createLog({ level, destination: process.stderr });
}
