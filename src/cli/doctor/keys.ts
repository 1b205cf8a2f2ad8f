import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { Env } from '../../config/env.ts';
import { ConfigError } from '../../config/problems.ts';
import { loadSecrets } from '../../config/secrets.ts';
import { type DataKeys, loadDataKeys } from '../../domain/data-keys/load-data-keys.ts';
import { isReadable, PROVIDER_KEY_PURPOSE } from '../../domain/provider-keys/envelope.ts';
import { loadSigningKey } from '../../domain/signing-keys/key-material.ts';
import { SIGNING_ALGORITHMS } from '../../domain/signing-keys/signing-key.ts';
import type { Clock } from '../../kit/clock.ts';
import { createSealer, createWrappingRing, SealError, type Sealer, type WrappingRing } from '../../kit/seal.ts';
import type { Stores } from '../../storage/stores.ts';
import { count } from '../text.ts';
import { type Finding, fail, ok, warn } from './finding.ts';
import { examineRows } from './rows.ts';

/** Whether the secrets open what the database holds. Makes nothing. */
export async function examineKeys({
  env,
  config,
  stores,
  clock,
}: {
  env: Env;
  config: Config;
  stores: Stores;
  clock: Clock;
}): Promise<Finding[]> {
  const rows = await stores.dataKeys.list();
  if (rows.length === 0) return [warn('secrets', 'the database holds no keys yet', 'The first start makes them.')];

  let sealer: Sealer;
  let ring: WrappingRing;
  let dataKeys: DataKeys;
  try {
    // "Not empty": a missing secret is then reported instead of made.
    const secrets = loadSecrets(env, config, false);
    sealer = createSealer(secrets.ring);
    ring = createWrappingRing(secrets.ring, PROVIDER_KEY_PURPOSE);
    dataKeys = await loadDataKeys({ store: stores.dataKeys, sealer, clock });
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof SealError)) throw error;
    const detail = error instanceof ConfigError ? error.problems.join('; ') : error.message;
    return [fail('secrets', detail, 'Set the secret this database was made with, or restore it from its backup.')];
  }
  return [
    ...examineFile(env, config),
    ...(await examineSigningKeys(stores, sealer)),
    ...(await examineProviderKeys(stores, ring)),
    await examineRing(stores, sealer, ring),
    ...(await examineRows(stores, dataKeys, sealer)),
  ];
}

function examineFile(env: Env, { dataDirectory }: Config): Finding[] {
  const file = join(dataDirectory, 'secrets.json');
  if (env.GATEHOUSE_SECRETS || !existsSync(file)) return [];
  const readable = (statSync(file).mode & 0o077) !== 0;
  return readable ? [warn('secrets', `${file} can be read by others`, `Run: chmod 600 ${file}`)] : [];
}

async function examineSigningKeys(stores: Stores, sealer: Sealer): Promise<Finding[]> {
  const keys = await stores.signingKeys.list();
  const closed = keys.filter((key) => {
    try {
      loadSigningKey(key, sealer);
      return false;
    } catch {
      return true;
    }
  });
  if (closed.length > 0) {
    const detail = `the secrets do not open ${closed.map(({ kid }) => kid).join(', ')}`;
    return [fail('signing keys', detail, 'Add the secret that sealed them to the end of GATEHOUSE_SECRETS.')];
  }
  return SIGNING_ALGORITHMS.map((algorithm) => {
    const active = keys.find((key) => key.algorithm === algorithm && key.state === 'active');
    return active
      ? ok('signing keys', `${algorithm} signs with ${active.kid}`)
      : fail('signing keys', `there is no active ${algorithm} key`, 'Run: gatehouse keys rotate');
  });
}

/** Read so many at a time. */
const BATCH = 500;

/** Opens every one of them: which secret wrapped it says nothing of a row that was damaged. */
async function examineProviderKeys({ providerKeys }: Stores, ring: WrappingRing): Promise<Finding[]> {
  // No key has the id '', so these are all.
  const batchAfter = (id: string) => providerKeys.listWrappedByOthers('', id, BATCH);
  let all = 0;
  let closed = 0;
  for (let batch = await batchAfter(''); batch.length > 0; batch = await batchAfter(batch.at(-1)?.id ?? '')) {
    all += batch.length;
    closed += batch.filter((key) => !isReadable(key, ring)).length;
  }
  if (all === 0) return [];
  if (closed === 0) return [ok('provider keys', `${count(all, 'key')} can be opened`)];
  const advice =
    'Add the secret that wrapped them to the end of GATEHOUSE_SECRETS; without it, their owners must enter them again.';
  return [warn('provider keys', `${closed} of ${count(all, 'key')} cannot be opened`, advice)];
}

/** Whether all but the first secret could go. */
async function examineRing(stores: Stores, sealer: Sealer, ring: WrappingRing): Promise<Finding> {
  const sealed = [
    ...(await stores.dataKeys.list()).map((key) => key.sealed),
    ...(await stores.signingKeys.list()).map((key) => key.sealedPrivateJwk),
  ];
  const wrapped = await stores.providerKeys.countWrappedByOthers(ring.currentId);
  const old = sealed.filter((text) => !sealer.isCurrent(text)).length + wrapped;
  return old === 0
    ? ok('secrets', 'the first one seals every key')
    : warn('secrets', `${old} keys are sealed under another secret than the first`, 'Run: gatehouse secrets rotate');
}
