/**
 * `npm run bench`: the performance targets, measured. See docs/benchmarks.md.
 *   --large           a million clients and five million token rows against an empty database
 *   --purge           the token endpoint while a million expired rows are removed
 *   --verify          verification, made-up keys and sign-in by JSON alone
 *   --profile FOLDER  a CPU profile of each kind of request, for the developer tools of Chromium
 *   --sql-only        without Redis
 *   --rounds N        rounds of the comparison (3)
 *   --seconds N       length of each run (4)
 *   --only TEXT       only the measurements with this in their name, without statements per flow (`flood`, `login`, `introspection` …)
 */
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../test/support/servers/postgres.ts';
import { startRedis } from '../test/support/servers/redis.ts';
import { leaveMeasuredCore } from './cores.ts';
import { measureLarge } from './large.ts';
import { profile } from './profile.ts';
import { measurePurge } from './purge.ts';
import { measureTargets } from './targets.ts';
import { measureVerify } from './verify.ts';

const { values } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    purge: { type: 'boolean', default: false },
    verify: { type: 'boolean', default: false },
    profile: { type: 'string' },
    'sql-only': { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
});

leaveMeasuredCore();
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const postgres = await startPostgres();
const redis = values['sql-only'] ? null : await startRedis();
const setting = { postgres, redisUrl: redis?.url ?? null, print };
const stores = redis ? 'PostgreSQL and Redis' : 'PostgreSQL alone';
print(`${stores}; one process on one core, the databases and the load on another.`);
print(`Load average before: ${loadavg()[0]?.toFixed(1)}. Above 0.5 others disturb the rates; CPU times hold better.\n`);
try {
  if (values.large) await measureLarge(setting);
  else if (values.purge) await measurePurge(setting);
  else if (values.profile) await profile(setting, { folder: resolve(values.profile), seconds: Number(values.seconds) });
  else {
    const length = { rounds: Number(values.rounds), seconds: Number(values.seconds), only: values.only };
    if (!values.verify) await measureTargets(setting, length);
    await measureVerify(setting, length);
  }
} finally {
  await postgres.stop();
  await redis?.stop();
}
