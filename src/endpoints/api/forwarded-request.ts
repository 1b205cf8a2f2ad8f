import type { Context } from 'koa';
import { isScopeName } from '../../domain/clients/client-rules.ts';
import { factsOf } from '../../http/request-context.ts';
import { AppError } from '../../kit/errors.ts';
import type { EnvironmentsOf } from './environments.ts';
import type { JudgedRequest, Requirements } from './guard.ts';

export const FORWARD_AUTH = '/forward-auth';

type Original = Pick<JudgedRequest, 'method' | 'url'> & {
  /** Of the URL, without the question mark. */
  query: string;
};

/** What a proxy asks of us. */
export interface Question {
  requirements: Requirements;
  /** Hand over the key for this provider. */
  provider: string | null;
  /** nginx's auth_request passes on 200, 401 and 403 only. */
  forNginx: boolean;
  /** The request in front of the proxy. */
  original: Original;
}

const NAMES = ['environment', 'scope', 'audience', 'provider', 'mode'];
const REPEATABLE = ['scope', 'audience'];

/**
 * Reads the question. Its requirements stand where the operator put them and the caller cannot reach: in the query of
 * `/forward-auth`, or, for Envoy, which appends the caller's own path and query, in the header X-Gatehouse-Require.
 */
export function readQuestion(ctx: Context, ownAudience: string, environmentsOf: EnvironmentsOf): Question {
  const { byProxy } = factsOf(ctx);
  const required = ctx.get('x-gatehouse-require');
  if (ctx.path === FORWARD_AUTH) {
    if (required !== '') throw invalid('state the requirements in the query or in X-Gatehouse-Require, not in both');
    const query = new URLSearchParams(ctx.querystring);
    const forNginx = isForNginx(query);
    return {
      ...readRequirements(query, ownAudience, environmentsOf),
      forNginx,
      original: byProxy ? originalByHeaders(ctx, forNginx) : asItCame(ctx),
    };
  }
  if (!byProxy) throw new AppError('not_found');
  const target = ctx.path.slice(FORWARD_AUTH.length) + ctx.search;
  return {
    ...readRequirements(new URLSearchParams(required), ownAudience, environmentsOf),
    forNginx: false,
    original: { method: ctx.method, ...urlOf(ctx, target, ctx.req.headers.host ?? ctx.host) },
  };
}

export const isForNginx = (query: URLSearchParams): boolean => query.get('mode') === 'nginx';

const invalid = (text: string): AppError => new AppError('invalid_request', { public: `forward-auth: ${text}` });

/** A token that was given for another API is no reason to let anybody into this one, unless the operator says so (`*`). */
function readRequirements(
  query: URLSearchParams,
  ownAudience: string,
  environmentsOf: EnvironmentsOf,
): Pick<Question, 'requirements' | 'provider'> {
  for (const name of new Set(query.keys())) {
    if (!NAMES.includes(name)) throw invalid(`knows ${NAMES.join(', ')}`);
    if (!REPEATABLE.includes(name) && query.getAll(name).length > 1) throw invalid(`${name} must not be repeated`);
  }
  const mode = query.get('mode');
  if (mode !== null && mode !== 'nginx') throw invalid('mode is nginx or left out');
  const scopes = query.getAll('scope').flatMap((scope) => scope.split(' ').filter(Boolean));
  if (!scopes.every(isScopeName)) throw invalid('scope is no scope name');
  const environments = query.get('environment')?.split(' ').filter(Boolean);
  if (environments?.length === 0) throw invalid('environment is a name, several or *');
  const audiences = query.getAll('audience');
  return {
    requirements: {
      scopes,
      ...(audiences.includes('*') ? {} : { audiences: audiences.length > 0 ? audiences : [ownAudience] }),
      ...environmentsOf(environments),
    },
    provider: query.get('provider'),
  };
}

/**
 * A proxy sets the headers of its own kind and passes on the others as the caller sent them, so only its kind is read: nginx is
 * configured to set X-Original-*, Caddy and Traefik set X-Forwarded-* by themselves.
 */
function originalByHeaders(ctx: Context, forNginx: boolean): Original {
  const family = forNginx ? 'x-original' : 'x-forwarded';
  const target = ctx.get(`${family}-uri`) || ctx.originalUrl;
  const host = ctx.get(`${family}-host`).split(',').at(-1)?.trim() || ctx.host;
  // nginx asks with GET whatever the request was: what is not said is not known.
  return { method: ctx.get(`${family}-method`) || 'UNKNOWN', ...urlOf(ctx, target, host) };
}

const asItCame = (ctx: Context): Original => ({
  method: ctx.method,
  url: ctx.href,
  query: ctx.querystring,
});

function urlOf(ctx: Context, target: string, host: string): Pick<Original, 'url' | 'query'> {
  const scheme = ctx.get('x-forwarded-proto').split(',').at(-1)?.trim() || ctx.protocol;
  // Not resolved against it: `//other/path` is a path here.
  const url = URL.parse(target.startsWith('/') ? `${scheme}://${host}${target}` : target);
  if (!url) throw invalid('the original request is not understood');
  return { url: url.href, query: url.search.slice(1) };
}
