import type { Context, Middleware } from 'koa';
import type { Clock } from '../kit/clock.ts';
import { newId } from '../kit/ids.ts';
import type { Log } from '../kit/log.ts';
import type { Route } from './routes.ts';

/** What every handler may rely on. */
export interface RequestFacts {
  requestId: string;
  /** The caller's address: the socket's, or what a trusted proxy reported. */
  ip: string;
  /** The address for counting: IPv6 callers own a whole /64. */
  addressGroup: string;
  /** Whether the caller's connection is encrypted, here or at a trusted proxy. */
  encrypted: boolean;
}

export const factsOf = (ctx: Context): RequestFacts => ctx.state['facts'] as RequestFacts;

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** First of all middleware: who asks, under which id; last to speak: one log line per request. */
export function requestContext({
  isTrustedProxy,
  log,
  clock,
  observe,
}: {
  isTrustedProxy: (address: string) => boolean;
  log: Log;
  clock: Clock;
  observe: (sample: { method: string; route: string; status: number; seconds: number }) => void;
}): Middleware {
  return async (ctx, next) => {
    const started = clock.nowMs();
    const peer = ctx.req.socket.remoteAddress ?? '';
    const trusted = isTrustedProxy(peer);
    const ip = (trusted ? clientBehindProxies(ctx.get('x-forwarded-for'), isTrustedProxy) : null) ?? peer;
    const given = trusted ? ctx.get('x-request-id') : '';
    const facts: RequestFacts = {
      requestId: REQUEST_ID.test(given) ? given : newId('req'),
      ip,
      addressGroup: addressGroup(ip),
      encrypted:
        'encrypted' in ctx.req.socket ||
        (trusted && ctx.get('x-forwarded-proto').split(',').at(-1)?.trim() === 'https'),
    };
    ctx.state['facts'] = facts;
    ctx.set('X-Request-Id', facts.requestId);
    try {
      await next();
    } finally {
      const seconds = (clock.nowMs() - started) / 1000;
      const route =
        (ctx.state['label'] as string | undefined) ?? (ctx.state['route'] as Route | undefined)?.name ?? 'unmatched';
      observe({ method: ctx.method, route, status: ctx.status, seconds });
      // The path without its query: a query may hold a code or a token.
      if (log.isLevelEnabled('info')) {
        log.info(
          {
            requestId: facts.requestId,
            method: ctx.method,
            route,
            status: ctx.status,
            ms: Math.round(seconds * 1000),
            ip,
          },
          'request',
        );
      }
    }
  };
}

/** The last address that no trusted proxy added. Everything left of it may be forged by the caller. */
export function clientBehindProxies(header: string, isTrustedProxy: (address: string) => boolean): string | null {
  const chain = header
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  return chain.findLast((address) => !isTrustedProxy(address)) ?? chain[0] ?? null;
}

export function addressGroup(ip: string): string {
  if (ip.startsWith('::ffff:')) return ip.slice(7);
  if (!ip.includes(':')) return ip;
  const [head = '', tail] = ip.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const full =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return `${full.slice(0, 4).join(':')}::/64`;
}
