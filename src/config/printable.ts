import type { Config } from './config.ts';

/** The configuration without the passwords that URLs of stores may hold. */
export function printableConfig(config: Config): Config {
  return {
    ...config,
    databaseUrl: withoutPassword(config.databaseUrl),
    redisUrl: config.redisUrl === null ? null : withoutPassword(config.redisUrl),
  };
}

/** Also in the query, where drivers take one: `?password=…`, `?sslpassword=…`. */
export function withoutPassword(url: string): string {
  return url
    .replace(/^([a-z]+:\/\/[^:@/]*):.*@(?=[^@]*$)/i, '$1:***@')
    .replaceAll(/([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*/gi, '$1***');
}
