import { type Config, parseConfig } from './config.ts';
import type { Env } from './env.ts';
import { ConfigError } from './problems.ts';
import { secretProblems } from './secrets.ts';

/** parseConfig for what also needs the secrets: throws ConfigError with the problems of both, before anything is opened. */
export function parseEnvironment(env: Env, defaults: Readonly<Record<string, string>> = {}): Config {
  const problems = secretProblems(env, { production: env.NODE_ENV === 'production' });
  let config: Config;
  try {
    config = parseConfig(env, defaults);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.problems, ...problems]);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}
