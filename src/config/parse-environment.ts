import { type Config, parseConfig } from './config.ts';
import { readDatabaseAddress } from './database-address.ts';
import type { Env } from './env.ts';
import { ConfigError, problemsIn } from './problems.ts';
import { readRedisAddress } from './redis-address.ts';
import { secretProblems } from './secrets.ts';
import { readTlsFiles } from './store-files.ts';

/**
 * parseConfig for what also needs the secrets and the certificates of the stores: throws ConfigError with the problems of all,
 * before anything is opened.
 */
export function parseEnvironment(env: Env, defaults: Readonly<Record<string, string>> = {}): Config {
  const problems = secretProblems(env, { production: env.NODE_ENV === 'production' });
  let config: Config;
  try {
    config = parseConfig(env, defaults);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.problems, ...problems]);
  }
  problems.push(...fileProblems(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function fileProblems({ databaseUrl, redisUrl }: Config): string[] {
  const database = readDatabaseAddress(databaseUrl);
  const databaseTls = database.dialect === 'sqlite' ? null : database.tls;
  const redisTls = redisUrl === null ? null : readRedisAddress(redisUrl).tls;
  return [
    ...problemsIn(() => databaseTls && readTlsFiles(databaseTls, 'DATABASE_URL')),
    ...problemsIn(() => redisTls && readTlsFiles(redisTls, 'REDIS_URL')),
  ];
}
