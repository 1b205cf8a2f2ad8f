import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import { SKEW_US } from '../cell-rate.ts';

/**
 * What must happen at once inside Redis. Each script touches one key, or keys that share a hash tag, so a cluster can run
 * them. Redis keeps them by their digest: only the first call of a connection sends the text.
 */
export const SCRIPTS = {
  /**
   * Writes a record (`r`) and its lifetime. `insert` leaves an existing one alone and answers 0; `update` wants one to exist, and
   * `consume` one that was not used before. The marks of use, `c` (consumed at) and `x` (receipt), come from the caller for a new
   * record only: a save never clears them.
   */
  putRecord: {
    numberOfKeys: 1,
    lua: `
      local fresh = redis.call('EXISTS', KEYS[1]) == 0
      if ARGV[1] == 'insert' and not fresh then return 0 end
      if ARGV[1] == 'update' and fresh then return 0 end
      if ARGV[1] == 'consume' and (fresh or redis.call('HSETNX', KEYS[1], 'c', ARGV[4]) == 0) then return 0 end
      redis.call('HSET', KEYS[1], 'r', ARGV[2])
      if fresh and ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'c', ARGV[4]) end
      if fresh and ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'x', ARGV[5]) end
      if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
      return 1`,
  },
  /** Marks a record as used, once. */
  consumeRecord: {
    numberOfKeys: 1,
    lua: `
      if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX', KEYS[1], 'c', ARGV[1]) == 0 then return 0 end
      if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'x', ARGV[2]) end
      return 1`,
  },
  /** Removes a record if it still refers to what the index says. Answers its grant ('' for none), 0 for another one, nil for none. */
  removeRecordOf: {
    numberOfKeys: 1,
    lua: `
      local text = redis.call('HGET', KEYS[1], 'r')
      if not text then return false end
      local record = cjson.decode(text)
      if record[ARGV[1]] ~= ARGV[2] then return 0 end
      redis.call('DEL', KEYS[1])
      return record.grantId or ''`,
  },
  /**
   * Adds a record to an index, scored by the time it ends. Drops what ended before, or an index that is always in use
   * would grow for ever, and lives as long as its longest member.
   */
  addToIndex: {
    numberOfKeys: 1,
    lua: `
      redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
      redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
      local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
      if last == math.huge then redis.call('PERSIST', KEYS[1])
      else redis.call('PEXPIRE', KEYS[1], string.format('%d', last - ARGV[3])) end
      return 1`,
  },
  /** Counts an attempt: `n` attempts, the last one `at`, over at `e`. One from the future is not believed. */
  countAttempt: {
    numberOfKeys: 1,
    lua: `
      local before = redis.call('HMGET', KEYS[1], 'n', 'at', 'e')
      local attempts, previous = 0, false
      local now = tonumber(ARGV[1])
      if before[3] and tonumber(before[3]) > now and tonumber(before[2]) <= now + ${CLOCK_SKEW_MS} then
        attempts, previous = tonumber(before[1]), before[2]
      end
      redis.call('HSET', KEYS[1], 'n', attempts + 1, 'at', ARGV[1], 'e', ARGV[2])
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
      return { attempts + 1, previous }`,
  },
  /**
   * Takes one from every counter or, when one is empty, from none. A key holds when its counter is full again, in
   * microseconds; ARGV has the interval and the capacity of each. Answers for each whether it had one and how far ahead it is.
   * See `believedAhead` for one that is further ahead than its capacity.
   */
  takeFromCounters: {
    lua: `
      local time = redis.call('TIME')
      local now = time[1] * 1000000 + time[2]
      local answer, all = {}, true
      for i, key in ipairs(KEYS) do
        local capacity = tonumber(ARGV[2 * i])
        local ahead = (tonumber(redis.call('GET', key)) or 0) - now
        if ahead > capacity + ${SKEW_US} then ahead = 0 end
        ahead = math.min(math.max(0, ahead), capacity)
        local has = ahead + ARGV[2 * i - 1] <= capacity
        all = all and has
        answer[i] = { has and 1 or 0, ahead }
      end
      if not all then return answer end
      for i, key in ipairs(KEYS) do
        local ahead = answer[i][2] + ARGV[2 * i - 1]
        redis.call('SET', key, string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
        answer[i][2] = ahead
      end
      return answer`,
  },
} as const;

/** The commands that ioredis makes of the scripts. */
export interface ScriptCommands {
  putRecord(
    key: string,
    mode: 'insert' | 'save' | 'update' | 'consume',
    record: string,
    ttlMs: number | '',
    consumedAt: number | '',
    receipt: string,
  ): Promise<0 | 1>;
  consumeRecord(key: string, atMs: number, receipt: string): Promise<0 | 1>;
  removeRecordOf(key: string, field: string, value: string): Promise<string | 0 | null>;
  addToIndex(key: string, member: string, endsAtMs: number | '+inf', forgetBeforeMs: number): Promise<1>;
  countAttempt(key: string, nowMs: number, endsAtMs: number, windowMs: number): Promise<[number, string | null]>;
  takeFromCounters(keys: number, ...keysAndValues: (string | number)[]): Promise<[0 | 1, number][]>;
}
