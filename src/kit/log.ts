import { type DestinationStream, type Logger, pino } from 'pino';
import { systemClock } from './clock.ts';

export type Log = Logger;

/** Members that could hold a credential, in whatever object is logged. The value is replaced, the name stays visible. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'password',
  'secret',
  'secrets',
  'token',
  'code',
  'client_secret',
  'client_assertion',
  'access_token',
  'refresh_token',
  'id_token',
  'code_verifier',
  'authorization',
  'cookie',
  'set-cookie',
]);

/**
 * Two levels deep, which is as deep as anything is logged here. pino's own redaction by paths cannot say "whatever the
 * object", and costs more than the rest of a log line.
 */
function redacted(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    let safe = value;
    if (typeof value === 'string') safe = SECRET_NAMES.has(name.toLowerCase()) ? '[redacted]' : value;
    else if (depth === 0 && isPlainObject(value)) safe = redacted(value, 1);
    if (safe === value) continue;
    copy ??= { ...fields };
    copy[name] = safe;
  }
  return copy ?? fields;
}

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** Drivers put connection strings and bound values into their errors, so only name, code, message class and stack go out. */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    ...(code === undefined ? {} : { code }),
    message: withoutCredentials(message),
    stack: stack === undefined ? undefined : withoutCredentials(stack),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** knex writes the statement with its bindings before ` - `; a URL may hold a password. */
function withoutCredentials(text: string): string {
  return text
    .replaceAll(/:\/\/[^@\s/]+@/g, '://***@')
    .replaceAll(/(insert into|update|select|delete from)\s[^\n]* - /gi, '$1 … - ');
}

/** How long a line may wait for others to be written with it, in milliseconds, and how many characters are written at once. */
const FLUSH_MS = 100;
const FLUSH_LENGTH = 8192;

/** JSON lines on standard output, written many at a time: a system call for each would cost more than most requests. */
export function createLog({ level, destination }: { level: string; destination?: DestinationStream }): Log {
  return pino(
    {
      level,
      base: {},
      timestamp: createTimestamp(),
      formatters: { level: (label) => ({ level: label }), log: (fields) => redacted(fields) },
      serializers: { err: describeError },
    },
    destination ?? standardOutput(),
  );
}

/** In a millisecond many lines are written. */
function createTimestamp(): () => string {
  let atMs = 0;
  let text = '';
  return () => {
    const nowMs = systemClock.nowMs();
    if (nowMs !== atMs) {
      atMs = nowMs;
      text = `,"time":"${new Date(nowMs).toISOString()}"`;
    }
    return text;
  };
}

function standardOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: false });
  // Lines are collected here: the stream would measure all that it holds anew with each of them.
  let lines: string[] = [];
  let length = 0;
  function hand(): void {
    if (length > 0) output.write(lines.join(''));
    lines = [];
    length = 0;
  }
  setInterval(hand, FLUSH_MS).unref();
  process.on('exit', () => {
    try {
      hand();
      output.flushSync();
    } catch {
      // Not open yet, or its reader is gone: there is nowhere left to say so.
    }
  });
  return {
    write(line) {
      lines.push(line);
      length += line.length;
      if (length >= FLUSH_LENGTH) hand();
    },
  };
}
