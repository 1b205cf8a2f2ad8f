import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Context, Middleware } from 'koa';
import { createBoundedMap } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';
import { sha256 } from '../kit/digest.ts';
import { newId } from '../kit/ids.ts';
import type { Log } from '../kit/log.ts';
import { factsOf, REQUEST_ID } from './request-context.ts';
import type { Route } from './routes.ts';

/** How an answer may be given again: a handler says so in `ctx.state.again`. */
export interface Again {
  /** Never longer than the caller may remember it. Seconds. */
  seconds: number;
  /** What every request of this kind counts for, this one's turn included. */
  count: () => void;
}

/**
 * Gives an answer again to a request that is the same in all that matters, without going through Koa: a resource server asks about
 * one credential many times in the seconds for which the answer holds. What is the same is decided by what is NOT looked at: every
 * header counts but a few that cannot change the answer.
 */
export interface AnswerAgain {
  /** True when it answered. */
  answer(req: IncomingMessage, res: ServerResponse): boolean;
  /** Outermost of all middleware: remembers what may be given again. */
  remember: Middleware;
  /** Forgets everything, what is being answered just now included. */
  forget(): void;
}

const MAX_ANSWERS = 10_000;
/** A malformed credential stays malformed; this bounds the time that stands in some of the bodies. Milliseconds. */
const MALFORMED_MS = 1000;

/** They say who asks and how, and change nothing of the answer: a credential that is good from some addresses only is never here. */
const WITHOUT_EFFECT = new Set([
  ...['accept', 'accept-encoding', 'accept-language', 'connection', 'user-agent', 'x-forwarded-for', 'x-request-id'],
  ...['x-original-method', 'x-forwarded-method', 'traceparent', 'tracestate'],
]);
/** Of the address of the original request only the query matters: it may hold a credential, and that is refused. */
const ORIGINAL_ADDRESS = new Set(['x-original-uri', 'x-forwarded-uri']);
/** With one of these every request is one of its own. */
const NEVER = new Set([
  ...[
    'cookie',
    'dpop',
    'content-length',
    'transfer-encoding',
    'expect',
    'origin',
    'upgrade',
    'x-gateway-authorization',
  ],
]);

interface Remembered {
  untilMs: number;
  status: number;
  /** Names and values in turn. */
  headers: readonly string[];
  /** The body, cut where the request id stands. */
  parts: readonly string[];
  /** What is left of the time goes into Cache-Control. */
  dated: boolean;
  route: string;
  byProxy: boolean;
  ip: string;
  count: (() => void) | null;
}

interface Pending {
  key: string;
  malformed: boolean;
  drops: number;
}

export function createAnswerAgain({
  isCandidate,
  isMalformed,
  clock,
  log,
  observe,
}: {
  /** By the target of the request, as it came. */
  isCandidate: (target: string) => boolean;
  /** Whether this header holds what can be no credential, for certain and without asking anybody. */
  isMalformed: (name: string, value: string) => boolean;
  clock: Clock;
  log: Log;
  observe: (sample: { method: string; route: string; status: number; seconds: number }) => void;
}): AnswerAgain {
  let answers = createBoundedMap<Remembered>({ max: MAX_ANSWERS });
  const pending = new WeakMap<IncomingMessage, Pending>();
  let drops = 0;

  /** Null for a request that is answered anew in any case. */
  function read(req: IncomingMessage): Pick<Pending, 'key' | 'malformed'> | null {
    const { rawHeaders, url = '' } = req;
    let key = `${url}\n${req.socket.remoteAddress}\n`;
    let malformed = false;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] as string).toLowerCase();
      const value = rawHeaders[index + 1] as string;
      if (WITHOUT_EFFECT.has(name)) continue;
      if (NEVER.has(name)) return null;
      if (ORIGINAL_ADDRESS.has(name)) {
        const query = value.indexOf('?');
        if (query !== -1) key += `${name}: ${value.slice(query)}\n`;
      } else if (isMalformed(name, value)) {
        malformed = true;
        key += `${name}\n`;
      } else key += `${name}: ${value}\n`;
    }
    // Whose failures are noted depends on where they come from.
    if (malformed) key += `malformed ${String(req.headers['x-forwarded-for'])}`;
    // By digest: the memory of the process is no place for credentials.
    return { key: sha256(key), malformed };
  }

  function give(req: IncomingMessage, res: ServerResponse, known: Remembered, nowMs: number): boolean {
    const secondsLeft = Math.floor((known.untilMs - nowMs) / 1000);
    if (known.untilMs <= nowMs || (known.dated && secondsLeft < 1)) return false;
    const given = known.byProxy ? req.headers['x-request-id'] : undefined;
    const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : newId('req');
    const [whole = '', ...rest] = known.parts;
    const body = rest.length === 0 ? whole : known.parts.join(requestId);
    const headers = [...known.headers, 'X-Request-Id', requestId, 'Content-Length', String(Buffer.byteLength(body))];
    headers.push('Cache-Control', known.dated ? `private, max-age=${secondsLeft}` : 'no-store');
    res.writeHead(known.status, headers);
    res.end(body);
    known.count?.();
    const { status, route, ip } = known;
    observe({ method: 'GET', route, status, seconds: 0 });
    if (log.isLevelEnabled('info')) log.info({ requestId, method: 'GET', route, status, ms: 0, ip }, 'request');
    return true;
  }

  function save(ctx: Context, { key, malformed }: Pending): void {
    const again = ctx.state.again as Again | undefined;
    const isRefusal = malformed && ctx.status === 401;
    if (!again && !isRefusal) return;
    const { requestId, byProxy, ip } = factsOf(ctx);
    const body = typeof ctx.body === 'string' ? ctx.body : null;
    if (body === null) return;
    const left = new Set(['x-request-id', 'content-length', 'cache-control', 'connection', 'keep-alive', 'date']);
    const headers = Object.entries(ctx.res.getHeaders()).filter(([name]) => !left.has(name));
    answers.set(key, {
      untilMs: clock.nowMs() + (again ? again.seconds * 1000 : MALFORMED_MS),
      status: ctx.status,
      headers: headers.flatMap(([name, value]) => [name, String(value)]),
      parts: body.split(requestId),
      dated: again !== undefined,
      route: (ctx.state.route as Route).name,
      byProxy,
      ip,
      count: again?.count ?? null,
    });
  }

  return {
    answer(req, res) {
      if (req.method !== 'GET' || !isCandidate(req.url ?? '')) return false;
      const asked = read(req);
      if (!asked) return false;
      const known = answers.get(asked.key);
      if (known && give(req, res, known, clock.nowMs())) return true;
      pending.set(req, { ...asked, drops });
      return false;
    },
    async remember(ctx, next) {
      await next();
      const asked = pending.get(ctx.req);
      // What was read before something changed is told once, and not again.
      if (asked && asked.drops === drops) save(ctx, asked);
    },
    forget() {
      drops += 1;
      answers = createBoundedMap<Remembered>({ max: MAX_ANSWERS });
    },
  };
}

/** Koa's handler behind it. */
export const behind =
  (again: AnswerAgain, koa: RequestListener): RequestListener =>
  (req, res) => {
    if (!again.answer(req, res)) koa(req, res);
  };
