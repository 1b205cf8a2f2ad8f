import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Context, Middleware } from 'koa';
import { createBoundedMap } from '../kit/cache.ts';
import { type Clock, monotonicMs } from '../kit/clock.ts';
import { sha256 } from '../kit/digest.ts';
import { newId } from '../kit/ids.ts';
import type { Log } from '../kit/log.ts';
import { readAhead } from './parameters.ts';
import { type CallerOf, factsOf, REQUEST_ID } from './request-context.ts';
import type { Route } from './routes.ts';

/** How an answer may be given again: a handler says so in `ctx.state.again`. */
export interface Again {
  /** Of this the caller may remember it for the whole seconds. */
  holdsMs: number;
  /** What every request of this kind counts for, this one's turn included. */
  count: () => void;
}

/** For an answer about a credential that holds for so long. */
export const cacheControl = (holdsMs: number): string =>
  holdsMs < 1000 ? 'no-store' : `private, max-age=${Math.floor(holdsMs / 1000)}`;

/**
 * Gives an answer again to a request that is the same in all that matters, without going through Koa: a resource server asks about
 * one credential many times in the seconds for which the answer holds. What is the same is decided by what is NOT looked at: every
 * header counts but a few that cannot change the answer.
 */
export interface AnswerAgain {
  /** Koa's handler behind it. */
  before(koa: RequestListener): RequestListener;
  /** Outermost of all middleware: remembers what may be given again. */
  remember: Middleware;
  /** Forgets everything, what is being answered just now included. */
  forget(): void;
}

const MAX_ANSWERS = 10_000;
/** Apart, so that strangers push out nothing but what other strangers were told. */
const MAX_REFUSALS = 500;
/** A question is short. Bytes of its body. */
const MAX_BODY = 4096;
/** A question with more in its headers is answered anew. Characters. */
const MAX_QUESTION = 16_384;
/** Longer ones are not worth the memory, and a caller may have made them long. Characters. */
const MAX_LENGTH = 4096;
/** A malformed credential stays malformed; this bounds the time that stands in some of the bodies. Milliseconds. */
const MALFORMED_MS = 1000;

/** They say who asks and how, and change nothing of the answer: a credential that is good from some addresses only is never here. */
const WITHOUT_EFFECT = new Set([
  ...['accept', 'accept-encoding', 'accept-language', 'connection', 'user-agent', 'x-forwarded-for', 'x-request-id'],
  ...['x-original-method', 'x-forwarded-method', 'traceparent', 'tracestate'],
]);
/** Of the path of the original request nothing depends; its query may hold a credential, and that is refused. */
const ORIGINAL_ADDRESS = new Set(['x-original-uri', 'x-forwarded-uri']);
/** With one of these every request is one of its own. */
const NEVER = new Set([
  ...['cookie', 'dpop', 'transfer-encoding', 'expect', 'origin', 'upgrade', 'x-gateway-authorization'],
]);

/** Ids that nobody chose, so that they stand in a text only where they are meant: ours, and those of proxies that make random ones. */
const RANDOM_ID = /^(?:req_\w+|[0-9a-f-]{32,36})$/;

/** A text, or its pieces around the id of the request. */
type Text = string | readonly string[];

interface Remembered {
  /** By both clocks: none of them, set forward or back, makes an answer hold for longer. */
  untilMs: number;
  untilMonotonicMs: number;
  status: number;
  /** Names and values in turn. */
  headers: readonly Text[];
  body: Text;
  /** What is left of the time goes into Cache-Control. */
  dated: boolean;
  route: string;
  count: (() => void) | null;
  /** With what is the same in all of its lines. */
  log: Log | null;
}

const joined = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before}, ${value}`;

/** A request, as far as it is looked at. */
interface Read {
  /** Without its body. */
  text: string;
  malformed: boolean;
  bodyLength: number;
  /** As Node joins them. */
  forwardedFor: string | undefined;
  requestId: string | undefined;
}

interface Asked {
  /** By digest: the memory of the process is no place for credentials. */
  key: string;
  malformed: boolean;
  drops: number;
}

export function createAnswerAgain({
  isCandidate,
  credentialHeaders,
  malformedKind,
  callerOf,
  clock,
  log,
  observe,
}: {
  /** By the target of the request, as it came. Only GET and POST are. */
  isCandidate: (method: string, target: string) => boolean;
  /** Where credentials stand, in small letters. */
  credentialHeaders: ReadonlySet<string>;
  /**
   * What this header, when it is the only one, tries to be, when it can be no credential, for certain and without asking anybody;
   * else null. All of one kind get the same answer.
   */
  malformedKind: (name: string, value: string) => string | null;
  callerOf: CallerOf;
  clock: Clock;
  log: Log;
  observe: (sample: { method: string; route: string; status: number; seconds: number }) => void;
}): AnswerAgain {
  const room = (max: number) => createBoundedMap<Remembered>({ max });
  let answers = room(MAX_ANSWERS);
  let refusals = room(MAX_REFUSALS);
  const pending = new WeakMap<IncomingMessage, Asked>();
  let drops = 0;

  /** Null for a request that is answered anew in any case. */
  function read(req: IncomingMessage): Read | null {
    const { method, rawHeaders, url = '' } = req;
    let text = `${method} ${url}\n${req.socket.remoteAddress}\n`;
    let bodyLength = 0;
    let forwardedFor: string | undefined;
    let requestId: string | undefined;
    const shown: [name: string, value: string][] = [];
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] as string).toLowerCase();
      const value = rawHeaders[index + 1] as string;
      if (WITHOUT_EFFECT.has(name)) {
        if (name === 'x-forwarded-for') forwardedFor = joined(forwardedFor, value);
        else if (name === 'x-request-id') requestId = joined(requestId, value);
        continue;
      }
      if (NEVER.has(name)) return null;
      if (name === 'content-length') bodyLength = Number(value);
      else if (credentialHeaders.has(name)) shown.push([name, value]);
      else if (ORIGINAL_ADDRESS.has(name) && value.startsWith('/')) {
        const query = value.indexOf('?');
        if (query !== -1) text += `${name}: ${value.slice(query)}\n`;
      } else text += `${name}: ${value}\n`;
    }
    if (bodyLength > (method === 'POST' ? MAX_BODY : 0)) return null;
    // Digesting it would cost a stranger nothing and us more than the answer.
    if (text.length > MAX_QUESTION) return null;
    const [only, ...others] = shown;
    const kind = bodyLength === 0 && only !== undefined && others.length === 0 ? malformedKind(...only) : null;
    // Whose failures are noted depends on where they come from.
    if (kind !== null) text += `malformed ${only?.[0]} ${kind} ${forwardedFor}`;
    else for (const [name, value] of shown) text += `${name}: ${value}\n`;
    return { text, malformed: kind !== null, bodyLength, forwardedFor, requestId };
  }

  function give(req: IncomingMessage, res: ServerResponse, asked: Read, known: Remembered): boolean {
    const leftMs = Math.min(known.untilMs - clock.nowMs(), known.untilMonotonicMs - monotonicMs());
    if (leftMs <= 0) return false;
    const { ip, byProxy } = callerOf(req.socket.remoteAddress, asked.forwardedFor);
    const given = byProxy ? asked.requestId : undefined;
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : newId('req');
    const whole = (text: Text): string => (typeof text === 'string' ? text : text.join(requestId));
    const body = whole(known.body);
    const headers = known.headers.map(whole);
    headers.push('X-Request-Id', requestId, 'Content-Length', String(Buffer.byteLength(body)));
    headers.push('Cache-Control', known.dated ? cacheControl(leftMs) : 'no-store');
    const { status, route } = known;
    const { method = '' } = req;
    res.writeHead(status, headers);
    res.end(body);
    known.count?.();
    observe({ method, route, status, seconds: 0 });
    if (log.isLevelEnabled('info')) {
      known.log ??= log.child({ method, route, status, ms: 0 });
      known.log.info({ requestId, ip }, 'request');
    }
    return true;
  }

  function save(ctx: Context, { key, malformed }: Asked): void {
    const again = ctx.status === 200 ? (ctx.state.again as Again | undefined) : undefined;
    const isRefusal = malformed && ctx.status === 401;
    if ((!again && !isRefusal) || typeof ctx.body !== 'string') return;
    const { requestId } = factsOf(ctx);
    if (isRefusal && !RANDOM_ID.test(requestId)) return;
    // An answer about somebody never holds the id of the request; what looks like it is what they are called.
    const cut = (text: string): Text => (isRefusal && text.includes(requestId) ? text.split(requestId) : text);
    const left = new Set(['x-request-id', 'content-length', 'cache-control', 'connection', 'keep-alive', 'date']);
    const headers = Object.entries(ctx.res.getHeaders())
      .filter(([name]) => !left.has(name))
      .map(([name, value]) => [name, String(value)] as const);
    const length = headers.reduce((sum, [name, value]) => sum + name.length + value.length, ctx.body.length);
    if (length > MAX_LENGTH) return;
    const holdsMs = again ? again.holdsMs : MALFORMED_MS;
    (isRefusal ? refusals : answers).set(key, {
      untilMs: clock.nowMs() + holdsMs,
      untilMonotonicMs: monotonicMs() + holdsMs,
      status: ctx.status,
      headers: headers.flatMap(([name, value]) => [name, cut(value)]),
      body: cut(ctx.body),
      dated: !isRefusal,
      route: (ctx.state.route as Route).name,
      count: again?.count ?? null,
      log: null,
    });
  }

  return {
    before: (koa) => (req, res) => {
      const asked = isCandidate(req.method ?? '', req.url ?? '') ? read(req) : null;
      if (!asked) return koa(req, res);
      const { text, malformed, bodyLength } = asked;
      const look = (body: string): void => {
        // No header has an empty line in it.
        const key = sha256(`${text}\n\n${body}`);
        const known = (malformed ? refusals : answers).get(key);
        if (known && give(req, res, asked, known)) return;
        pending.set(req, { key, malformed, drops });
        koa(req, res);
      };
      if (bodyLength === 0) look('');
      else {
        readAhead(req, {
          whole: (body) => look(body.toString('latin1')),
          cut: () => koa(req, res),
        });
      }
    },
    async remember(ctx, next) {
      await next();
      const asked = pending.get(ctx.req);
      // What was read before something changed is told once, and not again.
      if (asked && asked.drops === drops) save(ctx, asked);
    },
    forget() {
      drops += 1;
      answers = room(MAX_ANSWERS);
      refusals = room(MAX_REFUSALS);
    },
  };
}
