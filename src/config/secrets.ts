import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSecret } from '../kit/ids.ts';
import type { Env } from './env.ts';
import { ConfigError } from './problems.ts';
import { weakness } from './weak-secret.ts';

/** Apart from Config, so that the configuration can be printed. */
export interface Secrets {
  /** Key-encryption secrets; the first one seals, all of them open. */
  ring: readonly string[];
  /** The HMAC key under which imported API keys were digested where they came from. */
  importHmacKey: string | null;
}

const FILE = 'secrets.json';

/**
 * From GATEHOUSE_SECRETS (comma-separated), or in development from a 0600 file that is made once.
 * @param databaseIsEmpty whether nothing is sealed yet: only then may a missing secret be generated.
 */
export function loadSecrets(
  env: Env,
  { production, dataDirectory }: { production: boolean; dataDirectory: string },
  databaseIsEmpty: boolean,
): Secrets {
  const problems = secretProblems(env, { production });
  if (problems.length > 0) throw new ConfigError(problems);
  const given = secretsOf(env);
  const importHmacKey = env.GATEHOUSE_IMPORT_HMAC_KEY || null;
  if (given.length > 0) return { ring: given, importHmacKey };
  const file = join(dataDirectory, FILE);
  if (existsSync(file)) return { ring: checked(readSecretsFile(file), file), importHmacKey };
  if (!databaseIsEmpty) {
    throw new ConfigError([
      `GATEHOUSE_SECRETS: the database holds sealed keys but there is no secret to open them; set it, or restore ${file}`,
    ]);
  }
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const ring = [newSecret()];
  // Written aside and linked into place: another process sees either no file or a whole one, and the first one counts.
  const draft = `${file}.${newSecret()}`;
  writeFileSync(draft, `${JSON.stringify({ secrets: ring }, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return { ring, importHmacKey };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { ring: checked(readSecretsFile(file), file), importHmacKey };
  } finally {
    unlinkSync(draft);
  }
}

/** What is wrong with GATEHOUSE_SECRETS itself; looks at no file. */
export function secretProblems(env: Env, { production }: { production: boolean }): string[] {
  const given = secretsOf(env);
  if (given.length > 0) {
    const short = ringProblems(given, 'GATEHOUSE_SECRETS');
    return production && short.length === 0 ? weakSecret(given) : short;
  }
  return production ? [`GATEHOUSE_SECRETS: must be set in production; ${HOW}`] : [];
}

/** In development: what production would refuse. */
export const secretWarnings = (env: Env, { production }: { production: boolean }): string[] =>
  production ? [] : weakSecret(secretsOf(env));

/** The first one alone: the others only open what is old, and must be given for that. */
function weakSecret([first]: readonly string[]): string[] {
  const why = first === undefined ? null : weakness(first);
  return why === null
    ? []
    : [
        `GATEHOUSE_SECRETS: the first secret is ${why} and can be guessed; put one in front that was drawn: openssl rand -base64 32`,
      ];
}

const secretsOf = (env: Env): string[] =>
  (env.GATEHOUSE_SECRETS ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter(Boolean);

function readSecretsFile(file: string): string[] {
  try {
    const { secrets } = JSON.parse(readFileSync(file, 'utf8')) as { secrets?: unknown };
    if (Array.isArray(secrets) && secrets.every((secret) => typeof secret === 'string')) return secrets;
  } catch {
    // Reported below with the same words as a file of another shape.
  }
  throw new ConfigError([`${file}: not a secrets file; restore it from a backup`]);
}

const HOW = 'make one with: openssl rand -base64 32';

const ringProblems = (ring: readonly string[], source: string): string[] =>
  ring.length === 0 || ring.some((secret) => secret.length < 32)
    ? [`${source}: every secret needs at least 32 characters; ${HOW}`]
    : [];

function checked(ring: string[], source: string): string[] {
  const problems = ringProblems(ring, source);
  if (problems.length > 0) throw new ConfigError(problems);
  return ring;
}
