import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { AppError } from '../kit/errors.ts';

/** Request parameters by name. Values were checked: strings, UTF-8, not repeated unless that is allowed. */
export type Parameters = ReadonlyMap<string, string | readonly string[]>;

const FORM = 'application/x-www-form-urlencoded';
const MAX_PARAMETERS = 64;
const decoder = new TextDecoder('utf-8', { fatal: true });

const readAlready = new WeakMap<IncomingMessage, Buffer>();

/** Reads all of a body that is known to be small, before Koa; `readBody` gives it again. */
export function readAhead(
  req: IncomingMessage,
  { whole, cut }: { whole: (body: Buffer) => void; cut: () => void },
): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    readAlready.set(req, body);
    whole(body);
  });
  req.on('close', () => {
    if (!req.complete) cut();
  });
}

/** Reads at most `limitBytes` of the body. Throws payload_too_large past that, and stops reading. */
export async function readBody(ctx: Context, limitBytes: number): Promise<Buffer> {
  const { 'content-length': length, 'content-encoding': encoding = '' } = ctx.req.headers;
  const declared = Number(length ?? 0);
  if (encoding !== '' && encoding !== 'identity') {
    throw new AppError('unsupported_media_type', { public: 'compressed request bodies are not accepted' });
  }
  if (declared > limitBytes) throw tooLarge(ctx, limitBytes);
  const known = readAlready.get(ctx.req);
  if (known) return known;
  return new Promise((resolve, reject) => {
    if (ctx.req.destroyed && !ctx.req.complete) reject(endedEarly());
    const chunks: Buffer[] = [];
    let size = 0;
    ctx.req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else {
        ctx.req.pause();
        reject(tooLarge(ctx, limitBytes));
      }
    });
    ctx.req.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    // The caller went away in the middle; nobody waits for the answer.
    const cut = (): void => {
      if (!ctx.req.complete) reject(endedEarly());
    };
    ctx.req.on('error', cut);
    ctx.req.on('close', cut);
  });
}

const endedEarly = (): AppError => new AppError('invalid_request', { public: 'the request body ended early' });

function tooLarge(ctx: Context, limitBytes: number): AppError {
  // The rest of the body is not worth reading; the connection cannot be used again without it.
  ctx.set('Connection', 'close');
  return new AppError('payload_too_large', { public: `the request body is larger than ${limitBytes} bytes` });
}

/**
 * Parameters of a form body, or of a JSON object where `json` allows it. Repeated parameters are refused (RFC 6749 3.2)
 * except those in `repeatable`; empty values count as omitted (RFC 6749 3.1).
 */
export async function readParameters(
  ctx: Context,
  {
    limitBytes = 65_536,
    json = false,
    repeatable = [],
  }: { limitBytes?: number; json?: boolean; repeatable?: readonly string[] } = {},
): Promise<Parameters> {
  if (ctx.querystring !== '') {
    // URLs end up in logs and histories (RFC 6749 2.3.1).
    throw new AppError('invalid_request', {
      public: 'parameters must be sent in the request body, never in the URL',
    });
  }
  const type = mediaType(ctx.req.headers['content-type'] ?? '');
  const isJson = json && type === 'application/json';
  if (!isJson && type !== FORM) {
    const accepted = json
      ? 'application/x-www-form-urlencoded or application/json'
      : 'application/x-www-form-urlencoded';
    throw new AppError('unsupported_media_type', { public: `send the parameters as ${accepted}` });
  }
  const body = await readBody(ctx, limitBytes);
  let text: string;
  try {
    text = decoder.decode(body);
  } catch (cause) {
    throw new AppError('invalid_request', { public: 'the request body is not valid UTF-8', cause });
  }
  const pairs = isJson ? jsonPairs(text) : formPairs(text);
  return collect(pairs, repeatable);
}

/** Nearly all say exactly what is expected. */
const mediaType = (header: string): string | undefined =>
  header === FORM ? FORM : header.split(';', 1)[0]?.trim().toLowerCase();

function formPairs(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const part of text.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    pairs.push([decodeFormPart(name), equals === -1 ? '' : decodeFormPart(part.slice(equals + 1))]);
    if (pairs.length > MAX_PARAMETERS) throw new AppError('invalid_request', { public: 'too many parameters' });
  }
  return pairs;
}

function decodeFormPart(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '));
  } catch (cause) {
    throw new AppError('invalid_request', { public: 'the form encoding is not valid UTF-8', cause });
  }
}

function jsonPairs(text: string): [string, string][] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_request', { public: 'the request body is not valid JSON', cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', { public: 'the request body must be a JSON object' });
  }
  const pairs: [string, string][] = [];
  for (const [name, member] of Object.entries(value)) {
    for (const item of Array.isArray(member) ? member : [member]) {
      if (typeof item !== 'string')
        throw new AppError('invalid_request', { public: `'${printable(name)}' must be a string` });
      pairs.push([name, item]);
      if (pairs.length > MAX_PARAMETERS) throw new AppError('invalid_request', { public: 'too many parameters' });
    }
  }
  return pairs;
}

function collect(pairs: readonly [string, string][], repeatable: readonly string[]): Parameters {
  const parameters = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    if (value === '') continue;
    if (repeatable.includes(name)) {
      const list = parameters.get(name);
      if (Array.isArray(list)) list.push(value);
      else parameters.set(name, [value]);
    } else if (parameters.has(name)) {
      throw new AppError('invalid_request', { public: `'${printable(name)}' must not be repeated` });
    } else {
      parameters.set(name, value);
    }
  }
  return parameters;
}

/** A name a client sent, fit for an error_description (RFC 6749 5.2 allows %x20-21 / %x23-5B / %x5D-7E). */
export const printable = (text: string, limit = 64): string =>
  text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, limit);

/** The value of a parameter that cannot be repeated. */
export function single(parameters: Parameters, name: string): string | undefined {
  const value = parameters.get(name);
  return typeof value === 'string' ? value : value?.[0];
}

export function required(parameters: Parameters, name: string): string {
  const value = single(parameters, name);
  if (value === undefined) throw new AppError('invalid_request', { public: `missing required parameter '${name}'` });
  return value;
}
