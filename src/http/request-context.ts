import type { Context, Middleware } from 'koa';
import { addressGroup, parseAddress as readAddress } from '../kit/addresses.ts';
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
  /** The request came by a trusted proxy: what it says of the original request can be believed. */
  byProxy: boolean;
}

/** Who asks, by the socket or by what trusted proxies say. */
export type Caller = Pick<RequestFacts, 'ip' | 'byProxy'>;

export const factsOf = (ctx: Context): RequestFacts => ctx.state.facts as RequestFacts;

/** Why a page refused, for its line in the log: a name of ours, nothing of the caller's. */
export function noteReason(ctx: Context, reason: string): void {
  ctx.state.reason = reason;
}

/** Most connections come from few addresses: the proxies. */
const peers = new Map<string, string>();

function peerAddress(remote: string): string {
  let address = peers.get(remote);
  if (address === undefined) {
    address = parseAddress(remote) ?? remote;
    if (peers.size >= 1000) peers.clear();
    peers.set(remote, address);
  }
  return address;
}

/** What a proxy may call a request. */
export const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** By the address of the socket and the header X-Forwarded-For. */
export type CallerOf = (remoteAddress: string | undefined, forwardedFor: string | undefined) => Caller;

export const createCallerOf =
  (isTrustedProxy: (address: string) => boolean): CallerOf =>
  (remoteAddress = '', forwardedFor = '') => {
    const peer = peerAddress(remoteAddress);
    const byProxy = isTrustedProxy(peer);
    const ip = byProxy ? clientBehindProxies(forwardedFor, isTrustedProxy) : null;
    return { ip: ip ?? peer, byProxy };
  };

/** First of all middleware: who asks, under which id; last to speak: one log line per request. */
export function requestContext({
  callerOf,
  log,
  clock,
  observe,
}: {
  callerOf: CallerOf;
  log: Log;
  clock: Clock;
  observe: (sample: { method: string; route: string; status: number; seconds: number }) => void;
}): Middleware {
  return async (ctx, next) => {
    const started = clock.nowMs();
    const { headers } = ctx.req;
    const { ip, byProxy } = callerOf(ctx.req.socket.remoteAddress, asText(headers['x-forwarded-for']));
    const given = byProxy ? asText(headers['x-request-id']) : '';
    const facts: RequestFacts = {
      requestId: REQUEST_ID.test(given) ? given : newId('req'),
      ip,
      addressGroup: addressGroup(ip),
      byProxy,
      encrypted: 'encrypted' in ctx.req.socket || (byProxy && lastOf(asText(headers['x-forwarded-proto'])) === 'https'),
    };
    ctx.state.facts = facts;
    ctx.res.setHeader('X-Request-Id', facts.requestId);
    try {
      await next();
    } finally {
      const seconds = (clock.nowMs() - started) / 1000;
      const route =
        (ctx.state.label as string | undefined) ?? (ctx.state.route as Route | undefined)?.name ?? 'unmatched';
      const method = ctx.method;
      const status = ctx.res.statusCode;
      observe({ method, route, status, seconds });
      // The path without its query: a query may hold a code or a token.
      if (log.isLevelEnabled('info')) {
        log.info(
          {
            requestId: facts.requestId,
            method,
            route,
            status,
            ms: Math.round(seconds * 1000),
            ip,
            ...(ctx.state.reason === undefined ? {} : { reason: ctx.state.reason }),
          },
          'request',
        );
      }
    }
  };
}

/** Node joins what is repeated of these headers with a comma. */
const asText = (header: string | string[] | undefined): string => (typeof header === 'string' ? header : '');

const lastOf = (header: string): string => header.slice(header.lastIndexOf(',') + 1).trim();

/**
 * The last address that no trusted proxy added; everything left of it may be forged by the caller. Null when there is none, or
 * when what stands there is not an address.
 */
export function clientBehindProxies(header: string, isTrustedProxy: (address: string) => boolean): string | null {
  // From the right, and no further than the first that is not trusted: a caller may have sent thousands.
  for (let end = header.length; ; ) {
    const comma = header.lastIndexOf(',', end - 1);
    const address = parseAddress(header.slice(comma + 1, end));
    if (comma === -1 || address === null || !isTrustedProxy(address)) return address;
    end = comma;
  }
}

/** An address as proxies write it, in its canonical form: some add the port, some put IPv6 in brackets. Null when it is none. */
export function parseAddress(text: string): string | null {
  const trimmed = text.trim();
  // What nearly all are.
  const plain = readAddress(trimmed);
  if (plain !== null) return plain;
  const [, bracketed, beforePort] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?$/i.exec(trimmed) ?? [];
  return readAddress(bracketed ?? beforePort ?? '');
}
