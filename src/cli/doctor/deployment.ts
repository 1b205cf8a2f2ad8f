import { findDemo } from '../../../seeds/demo.ts';
import type { Config } from '../../config/config.ts';
import type { Env } from '../../config/env.ts';
import { ConfigError } from '../../config/problems.ts';
import { loadSecrets } from '../../config/secrets.ts';
import { createPasswords } from '../../domain/accounts/password.ts';
import { loadDataKeys } from '../../domain/data-keys/load-data-keys.ts';
import type { Clock } from '../../kit/clock.ts';
import { createDigester } from '../../kit/digest.ts';
import { createSealer, SealError } from '../../kit/seal.ts';
import type { Stores } from '../../storage/stores.ts';
import { type Finding, fail, ok } from './finding.ts';

interface Deployment {
  env: Env;
  config: Config;
  stores: Stores;
  clock: Clock;
}

/** What a start refuses: see server/before-serving.ts. */
export async function examineDemo({ env, config, stores, clock }: Deployment): Promise<Finding[]> {
  if (config.exposed === null) return [];
  const digester = await digesterOf({ env, config, stores, clock });
  // Nothing was ever digested, or the finding about the secrets says it: none of its secrets can work.
  if (digester === null) return [];
  const found = await findDemo({ stores, digester, passwords: createPasswords(config.passwords), clock });
  if (found.length === 0) return [ok('demonstration data', 'none')];
  const detail = `its passwords are published, and ${config.exposed}: ${found.map(({ what }) => what).join(', ')}`;
  const advice = `Run: ${found.map(({ mend }) => mend).join(' && ')}; or take an empty database.`;
  return [fail('demonstration data', detail, advice)];
}

async function digesterOf({ env, config, stores, clock }: Deployment) {
  try {
    if ((await stores.dataKeys.list()).length === 0) return null;
    const sealer = createSealer(loadSecrets(env, config, false).ring);
    return createDigester((await loadDataKeys({ store: stores.dataKeys, sealer, clock })).digest);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof SealError) return null;
    throw error;
  }
}

/** Says nothing when nobody answers: the server may not be started yet, or not be reachable from here. */
export async function examineIssuer({ issuer }: Config): Promise<Finding[]> {
  let announced: unknown;
  try {
    const url = `${issuer}/.well-known/openid-configuration`;
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(3000) });
    if (!response.ok)
      return [
        fail('issuer', `${url} answers ${response.status}`, 'Does the proxy pass this path, and Host unchanged?'),
      ];
    announced = ((await response.json()) as { issuer?: unknown }).issuer;
  } catch {
    return [];
  }
  return announced === issuer
    ? [ok('issuer', `${issuer} answers`)]
    : [
        fail(
          'issuer',
          `what answers at ${issuer} calls itself ${String(announced)}`,
          'Set ISSUER to the public address, exactly.',
        ),
      ];
}
