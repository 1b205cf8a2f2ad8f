import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import { SKEW_US } from '../cell-rate.ts';

/** Begins what is done about a key that holds something else: another program's, and never an error of ours. */
const otherThan = (type: string): string =>
  `local kind = redis.call('TYPE', KEYS[1]).ok if kind ~= '${type}' and kind ~= 'none' then`;

/** The same in a loop over keys. */
const dropOtherThanHash = `local holds = redis.call('TYPE', key).ok
        if holds ~= 'hash' and holds ~= 'none' then redis.call('DEL', key) end`;

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
      ${otherThan('hash')} if ARGV[1] ~= 'save' then return 0 end redis.call('DEL', KEYS[1]) end
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
      ${otherThan('hash')} return 0 end
      if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX', KEYS[1], 'c', ARGV[1]) == 0 then return 0 end
      if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'x', ARGV[2]) end
      return 1`,
  },
  /** Removes a record if it still refers to what the index says. Answers its grant ('' for none), 0 for another one, nil for none. */
  removeRecordOf: {
    numberOfKeys: 1,
    lua: `
      ${otherThan('hash')} return 0 end
      local text = redis.call('HGET', KEYS[1], 'r')
      if not text then return false end
      local readable, record = pcall(cjson.decode, text)
      if not readable or type(record) ~= 'table' then
        redis.call('DEL', KEYS[1])
        return ''
      end
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
      ${otherThan('zset')} redis.call('DEL', KEYS[1]) end
      redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
      redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
      local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
      if last == math.huge then redis.call('PERSIST', KEYS[1])
      else redis.call('PEXPIRE', KEYS[1], string.format('%d', last - ARGV[3])) end
      return 1`,
  },
  /**
   * Counts an attempt in every counter or, when one of them makes it wait, in none; answers the waits. A growing counter has `n`
   * attempts, the last one `at`, the one before it `p`, and is over at `e`; an even one has drained at `e`. ARGV has the time
   * and then five values for each key: see numbersOf. The arithmetic is that of domain/limits/throttle-store.ts.
   */
  takeAttempt: {
    lua: `
      local now = tonumber(ARGV[1])
      local waits, states, worn, free = {}, {}, false, true
      for i, key in ipairs(KEYS) do
        local at = 5 * i - 3
        local kind, a, b = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
        local c, d = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
        ${dropOtherThanHash}
        local found = redis.call('HMGET', key, 'n', 'at', 'e')
        local n, last, ends = tonumber(found[1]) or 0, tonumber(found[2]) or 0, tonumber(found[3]) or 0
        if kind == 'growing' and (ends <= now or last > now + ${CLOCK_SKEW_MS}) then n, last = 0, 0 end
        states[i] = { kind, a, b, c, d, n, last, ends }
        if kind == 'growing' and n > 0 and n >= a then worn = true end
      end
      for i, s in ipairs(states) do
        local kind, a, b, c, d, n, last, ends = unpack(s)
        local wait = 0
        if kind == 'even' then
          local full, ahead = a * c, math.max(0, ends - now)
          if ahead > full + c + ${CLOCK_SKEW_MS} then ahead = 0 end
          ahead = math.min(ahead, full)
          s[8] = ahead
          wait = math.max(0, ahead + c - (worn and b or a) * c)
        elseif n > 0 then
          local beyond, delay = n + 1 - a, 0
          if beyond > 0 then delay = math.min(c, b * 2 ^ math.min(beyond - 1, 30)) end
          wait = math.min(delay, math.max(0, last + delay - now))
        end
        waits[i] = wait
        if wait > 0 then free = false end
      end
      if not free then return waits end
      for i, key in ipairs(KEYS) do
        local kind, a, b, c, d, n, last, ahead = unpack(states[i])
        if kind == 'even' then
          redis.call('HSET', key, 'e', string.format('%.0f', now + ahead + c))
          redis.call('PEXPIRE', key, ahead + c)
        else
          redis.call('HSET', key, 'n', n + 1, 'at', ARGV[1], 'p', string.format('%.0f', last), 'e', string.format('%.0f', now + d))
          redis.call('PEXPIRE', key, d)
        end
      end
      return waits`,
  },
  /** Ends an attempt taken at ARGV[1]: for each key what an even counter is given back, `forget` or `give-back`. */
  settleAttempt: {
    lua: `
      for i, key in ipairs(KEYS) do
        local how = ARGV[i + 1]
        ${dropOtherThanHash}
        if how == 'forget' then
          redis.call('DEL', key)
        elseif redis.call('EXISTS', key) == 1 then
          if how == 'give-back' then
            local found = redis.call('HMGET', key, 'n', 'at', 'p')
            local n = tonumber(found[1]) or 0
            if n > 0 then redis.call('HSET', key, 'n', n - 1) end
            if n > 0 and found[2] == ARGV[1] then redis.call('HSET', key, 'at', found[3] or 0) end
          else
            redis.pcall('HINCRBY', key, 'e', -how)
          end
        end
      end
      return 1`,
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
        local held = redis.pcall('GET', key)
        local ahead = (type(held) == 'string' and tonumber(held) or 0) - now
        if ahead ~= ahead then ahead = 0 end
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
  takeAttempt(keys: number, ...keysAndValues: (string | number)[]): Promise<number[]>;
  settleAttempt(keys: number, ...keysAndValues: (string | number)[]): Promise<number>;
  takeFromCounters(keys: number, ...keysAndValues: (string | number)[]): Promise<[0 | 1, number][]>;
}
