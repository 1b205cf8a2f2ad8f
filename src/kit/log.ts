import { type DestinationStream, type Logger, pino } from 'pino';
import { systemClock } from './clock.ts';
import { createLineOutput, type LineOutput, standardOutputDevice } from './line-output.ts';

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

/** JSON lines on standard output, written many at a time: a system call for each would cost more than most requests. See line-output.ts. */
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

/** No write takes so long that comes to its end. Milliseconds. */
const HANGS_MS = 250;

let output: LineOutput | null = null;

/** One for the process, however many logs it has. */
function standardOutput(): LineOutput {
  if (output) return output;
  const time = createTimestamp();
  const created = createLineOutput(
    standardOutputDevice(),
    (dropped) =>
      `{"level":"warn"${time()},"dropped":${dropped},"msg":"the log could not be written for a while; lines were dropped"}\n`,
  );
  process.on('exit', created.writeNow);
  output = created;
  return created;
}

/** Lines of the log that could not be written and are gone. */
export const droppedLogLines = (): number => output?.dropped() ?? 0;

/** Text for people who watch, on standard output too, and as little in the way as the log is. */
export const print = (text: string): void => standardOutput().write(text);

/**
 * Ends the process when the log is written, or cannot be: a full disk or a reader that hangs keeps nothing alive.
 * @param code default: what `process.exitCode` says
 */
export function endProcess(code?: number): void {
  const end = (): void => {
    const takenMs = output?.writingForMs() ?? 0;
    // An explicit undefined would undo the exit code that was set before.
    if (takenMs === 0) process.exit(code ?? process.exitCode);
    // Node would wait for a write that hangs, in a terminal that is stopped or on a file server that is gone.
    if (takenMs > HANGS_MS) process.kill(process.pid, 'SIGKILL');
    setTimeout(end, 10);
  };
  if (output) output.flush(end);
  else end();
}
