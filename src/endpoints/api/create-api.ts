import type { Context } from 'koa';
import type { Principal } from '../../domain/credentials/principal.ts';
import { allowOrigin, answerPreflight } from '../../http/cors.ts';
import { setRateLimitHeaders } from '../../http/rate-limit-headers.ts';
import { factsOf } from '../../http/request-context.ts';
import type { ErrorWriter, Handler, Route } from '../../http/routes.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { noticeOldSecret } from './answers.ts';
import type { Call, Handlers } from './call.ts';
import type { Dialect } from './dialect.ts';
import { createErrorWriter } from './error-writer.ts';
import type { Exposed } from './exposed.ts';
import type { Guard } from './guard.ts';
import { judgedRequest } from './judged-request.ts';
import type { LimitByCaller } from './limit-by-caller.ts';
import { OPERATIONS, type Operation, type OperationName } from './operations.ts';
import type { createReadPresented } from './presented.ts';
import { inTheirNames, parseInput, readRequest } from './read-input.ts';
import { createRouteTable, type MatchedRoute, type TableRoute } from './route-table.ts';

/** RFC 9110 tokens and a little more: what an Idempotency-Key may be made of. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The JSON API: every route of the dialect, and of the canonical one where the dialect has none. */
export function createApi({
  dialects,
  handlers,
  guard,
  readPresented,
  authenticateResourceServer,
  exposed,
  limitByCaller,
  audience,
  apiOrigins,
  thumbprintOf,
  clock,
}: {
  /** The product's own first. */
  dialects: readonly Dialect[];
  handlers: Handlers;
  guard: Guard;
  readPresented: ReturnType<typeof createReadPresented>;
  /** Throws unless a resource server with the scope for provider keys sent the request. */
  authenticateResourceServer: (ctx: Context) => Promise<void>;
  exposed: Exposed;
  limitByCaller: LimitByCaller;
  /** What access tokens for our own endpoints name. */
  audience: string;
  /** Whose pages may call it with tokens. */
  apiOrigins: readonly string[];
  thumbprintOf: (ctx: Context) => string | null;
  clock: Clock;
}): (path: string) => Route | null {
  const table = createRouteTable(dialects);
  const manageScope = dialects[0]?.manageScope;
  // A path without parameters has one route for good.
  const known = new Map<string, Route>();
  const writers = new Map(dialects.map((dialect) => [dialect, createErrorWriter({ dialect, clock })]));
  const writerOf = (dialect: Dialect | undefined): ErrorWriter => writers.get(dialect as Dialect) as ErrorWriter;

  async function run(ctx: Context, entry: TableRoute, parameters: Readonly<Record<string, string>>): Promise<void> {
    ctx.res.setHeader('Cache-Control', 'no-store');
    if (apiOrigins.length > 0) allowOrigin(ctx, apiOrigins);
    const { route, dialect } = entry;
    const operation = OPERATIONS[route.operation];
    if (ctx.querystring !== '') await exposed.refuseInUrl(ctx, ctx.querystring);
    const presented = readPresented(ctx);
    const { principal, refusal } =
      operation.access === 'anyone' ? NOBODY : await admit(ctx, operation, presented, dialect);
    if (principal) noticeOldSecret(ctx, principal);
    if ('limit' in operation) {
      const rule = { name: route.operation.toLowerCase(), ...operation.limit };
      await limitByCaller(ctx, rule, principal?.subject ?? factsOf(ctx).addressGroup);
    }
    const input = parseInput(operation.input, await readRequest(ctx, entry, parameters), entry);
    const call: Call = {
      ctx,
      facts: factsOf(ctx),
      principal,
      refusal,
      presented,
      repeatable: 'idempotent' in operation ? repeatable(ctx, route.operation, input) : undefined,
    };
    const handler = handlers[route.operation] as (input: unknown, call: Call) => Promise<unknown>;
    let answer: unknown;
    try {
      answer = await handler(input, call);
    } catch (error) {
      throw inTheirNames(error, entry);
    }
    const output = operation.output.parse(answer);
    ctx.status = route.status ?? operation.status;
    if (output === null) {
      ctx.body = null;
      return;
    }
    ctx.type = 'json';
    ctx.body = JSON.stringify(route.answer ? (route.answer as (output: unknown) => unknown)(output) : output);
  }

  async function admit(
    ctx: Context,
    { access, unlimited = false }: Pick<Operation, 'access' | 'unlimited'>,
    presented: Call['presented'],
    dialect: Dialect,
  ): Promise<Pick<Call, 'principal' | 'refusal'>> {
    if (access === 'resource-server') {
      await authenticateResourceServer(ctx);
      return NOBODY;
    }
    if (access === 'known' && !presented.credential) return NOBODY;
    if (presented.withheldCookie) throw new AppError('cross_site_request');
    const admission = guard(
      presented.credential,
      {
        audiences: [audience],
        scopes: (who) => (access.startsWith('manage') && !isSignIn(who) && manageScope ? [manageScope] : []),
        unlimited,
      },
      {
        facts: factsOf(ctx),
        judged: judgedRequest(ctx, thumbprintOf),
        onLimits: (decision) =>
          setRateLimitHeaders(ctx, decision, {
            legacy: dialect.legacyRateLimitHeaders ?? false,
            nowSeconds: clock.nowSeconds(),
          }),
      },
    );
    // Whoever signs out may come with a token that has ended.
    if (access === 'known') {
      return admission.then(({ principal }) => ({ principal, refusal: null }), ifWorthNothing);
    }
    const { principal } = await admission;
    if (principal.subjectType !== 'user') {
      throw new AppError('insufficient_scope', {
        public: 'A client has no account here; use the credential of a user.',
      });
    }
    if (access === 'manage-keys' && principal.method === 'access_token') {
      // It would outlive the app's consent, and the app.
      throw new AppError('insufficient_scope', {
        public: 'An app does not make keys; use a key of your own or sign in.',
      });
    }
    if (access === 'sign-in' && !isSignIn(principal)) {
      throw new AppError('insufficient_scope', { public: 'Sign in to do this; a key or token of an app may not.' });
    }
    return { principal, refusal: null };
  }

  function build({ path, routes, parameters }: MatchedRoute): Route {
    const handlers = Object.entries(routes).map(([method, entry]): [string, Handler] => [
      method,
      (ctx) => run(ctx, entry, parameters),
    ]);
    const methods = Object.fromEntries(handlers);
    if (methods.GET) methods.HEAD = methods.GET;
    if (apiOrigins.length > 0) methods.OPTIONS = (ctx) => answerPreflight(ctx, Object.keys(methods).join(', '));
    return {
      name: `api ${path}`,
      methods,
      writeError: (ctx, error) => writerOf((routes[ctx.method] ?? routes.GET)?.dialect ?? dialects[0])(ctx, error),
    };
  }

  return (path) => {
    const route = known.get(path);
    if (route) return route;
    const matched = table(path);
    if (!matched) return null;
    const built = build(matched);
    if (matched.path === path) known.set(path, built);
    return built;
  };
}

const NOBODY = { principal: null, refusal: null };

/** Only of a credential that is worth nothing: one that came too often, say, still stands for somebody. */
function ifWorthNothing(error: unknown): Pick<Call, 'principal' | 'refusal'> {
  if (error instanceof AppError && error.entry.status === 401) return { principal: null, refusal: error };
  throw error;
}

const isSignIn = ({ method }: Principal): boolean => method === 'login' || method === 'session';

/** The content is told apart as it was understood, whatever the order of its members. */
function repeatable(ctx: Context, operation: OperationName, input: unknown): Call['repeatable'] {
  const idempotencyKey = ctx.get('idempotency-key');
  if (idempotencyKey === '') return undefined;
  if (!IDEMPOTENCY_KEY.test(idempotencyKey)) {
    throw new AppError('invalid_request', { public: 'Idempotency-Key: use 1 to 255 printable ASCII characters' });
  }
  return { idempotencyKey, content: JSON.stringify([operation, input]) };
}
