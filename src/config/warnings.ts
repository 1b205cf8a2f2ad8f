import { isThisMachine } from '../kit/addresses.ts';
import type { Config } from './config.ts';
import type { Env } from './env.ts';
import { plainConnections, storesOf } from './plain-connections.ts';
import { secretWarnings } from './secrets.ts';

/** What is allowed and still worth a word: by `config check`, by doctor, and in the log at a start. */
export function configWarnings(env: Env, config: Config): string[] {
  const unverified = storesOf(config.databaseUrl, config.redisUrl)
    .filter(({ host, tls }) => tls?.verify === 'nothing' && !isThisMachine(host))
    .map(
      ({ setting }) =>
        `${setting}: encrypted, but nobody verifies whom we speak to; write sslmode=verify-full, and sslrootcert=<file> where needed`,
    );
  const publicPlayground = config.issuer.startsWith('https:') && !config.production;
  return [
    ...(config.production ? [] : plainConnections(config)),
    ...unverified,
    ...secretWarnings(env, config),
    ...(publicPlayground
      ? [
          'NODE_ENV: the issuer is https and this is not production; set NODE_ENV=production, which closes sign-up and refuses what is unsafe',
        ]
      : []),
  ];
}
