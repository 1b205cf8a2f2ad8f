import { withoutPassword } from '../../config/printable.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { openRedis, type RedisConnection } from '../../storage/redis/connection.ts';
import { type Finding, fail, ok, reasonOf, skew, warn } from './finding.ts';

const ADVICE = 'Set maxmemory-policy to noeviction: an evicted replay marker lets an assertion pass twice.';

export async function examineRedis(redisUrl: string, { log, clock }: { log: Log; clock: Clock }): Promise<Finding[]> {
  const connection = await openRedis({ redisUrl, log, commandMs: 2000 });
  try {
    const info = await connection.run((redis) => redis.info('server'));
    const version = /^(?:valkey|redis)_version:(\S+)/m.exec(info)?.[1] ?? 'unknown version';
    const [seconds, micros] = await connection.run((redis) => redis.time());
    return [
      ok('redis', `answers (${version})`),
      await examineEviction(connection),
      ...skew('redis', Number(seconds) * 1000 + Number(micros) / 1000, clock.nowMs()),
    ];
  } catch (error) {
    const detail = `${withoutPassword(redisUrl)} cannot be used: ${reasonOf(error)}`;
    return [fail('redis', detail, 'Is it running, and are address, user and password of REDIS_URL right?')];
  } finally {
    await connection.close();
  }
}

async function examineEviction(connection: RedisConnection): Promise<Finding> {
  try {
    const [, policy] = (await connection.run((redis) => redis.config('GET', 'maxmemory-policy'))) as string[];
    return policy === 'noeviction'
      ? ok('redis', 'evicts nothing')
      : fail('redis', `may evict keys (${policy})`, ADVICE);
  } catch {
    return warn(
      'redis',
      'does not tell its maxmemory-policy',
      `See that it is right where Redis is managed. ${ADVICE}`,
    );
  }
}
