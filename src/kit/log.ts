import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Paths that could hold a credential, whatever object is logged. The value is replaced, the key stays visible. */
const REDACTED = [
  'password',
  'secret',
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
  'headers.authorization',
  'headers.cookie',
  '*.password',
  '*.secret',
  '*.token',
  '*.client_secret',
  '*.access_token',
  '*.refresh_token',
  '*.id_token',
  '*.authorization',
  '*.cookie',
];

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

/** JSON lines on standard output. */
export function createLog({ level, destination }: { level: string; destination?: DestinationStream }): Log {
  return pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { err: describeError },
    },
    destination ?? pino.destination({ fd: 1, sync: false }),
  );
}
