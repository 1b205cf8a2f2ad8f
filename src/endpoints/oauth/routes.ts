import type { Context } from 'koa';
import type { Paths } from '../../config/config.ts';
import { PROOF_ALGORITHMS } from '../../domain/credentials/proof/proof-key.ts';
import type { KeySet } from '../../domain/signing-keys/key-set.ts';
import { answerPreflight } from '../../http/cors.ts';
import { writeOAuthError } from '../../http/errors.ts';
import { printable, readParameters } from '../../http/parameters.ts';
import type { ErrorWriter, Handler, Route } from '../../http/routes.ts';
import { pagePolicy } from '../../http/security-headers.ts';
import { sha256 } from '../../kit/digest.ts';
import type { Engine } from './engine.ts';
import type { Hints } from './id-token-hint.ts';

/** How long verifiers and clients may keep the key set and the metadata, in seconds. */
const PUBLIC_CACHE_SECONDS = 300;

interface Metadata {
  token_endpoint_auth_methods_supported?: string[];
  dpop_signing_alg_values_supported?: readonly string[];
  tls_client_certificate_bound_access_tokens?: boolean;
}

/** Every OAuth path and who answers it. What is not listed here cannot reach the engine, whatever its own router thinks. */
export function oauthRoutes({
  paths,
  engine,
  keySet,
  token,
  introspect,
  revoke,
  clientCertificates,
  writePage,
  limitAuthorize,
  hints,
}: {
  paths: Paths;
  engine: Engine;
  keySet: KeySet;
  token: Handler;
  introspect: Handler;
  revoke: Handler;
  /** Whether the certificates of clients reach us: by TLS of our own or in a proxy's header. */
  clientCertificates: boolean;
  writePage: ErrorWriter;
  /** Throws rate_limit_exceeded: every new authorization stores something, and anyone can ask. */
  limitAuthorize: Handler;
  hints: Hints;
}): (path: string) => Route | null {
  const userinfo: Handler = async (ctx) => {
    await engine.handle(ctx);
    // The engine quotes the request in its errors: the Origin header in the description, the scope parameter in the challenge.
    const body = ctx.body as { error?: string; error_description?: string } | undefined;
    if (body?.error !== undefined && body.error_description !== undefined) {
      ctx.body = { ...body, error_description: printable(body.error_description, 256) };
    }
    const challenge = String(ctx.response.get('www-authenticate') ?? '');
    if (challenge.length > 1024) ctx.set('WWW-Authenticate', challenge.replace(/, scope="[^"]*"/, ''));
  };
  const page: Handler = (ctx) => {
    ctx.set('Content-Security-Policy', pagePolicy());
    return engine.handle(ctx);
  };
  const preflight =
    (methods: string): Handler =>
    (ctx) =>
      answerPreflight(ctx, methods);

  const jwks: Handler = (ctx) => {
    const body = JSON.stringify({ keys: keySet.all().map((key) => key.publicJwk) });
    publicly(ctx);
    ctx.type = 'application/json';
    ctx.etag = sha256(body);
    ctx.status = 200;
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = body;
  };

  /** What the engine does not know of: proofs of possession are ours (RFC 9449 5.1, RFC 8705 3.3). */
  function addProofs(metadata: Metadata): void {
    metadata.dpop_signing_alg_values_supported = PROOF_ALGORITHMS;
    if (!clientCertificates) return;
    metadata.tls_client_certificate_bound_access_tokens = true;
    metadata.token_endpoint_auth_methods_supported?.push('self_signed_tls_client_auth');
  }

  const discovery: Handler = async (ctx) => {
    // The engine knows one path; RFC 8414 inserts the issuer's path, OpenID Connect appends to it.
    ctx.path = '/.well-known/openid-configuration';
    await engine.handle(ctx);
    addProofs(ctx.body as Metadata);
    publicly(ctx);
  };

  const routes = new Map<string, Route>();
  const add = (
    path: string,
    name: string,
    methods: Record<string, Handler>,
    writeError: ErrorWriter = writeOAuthError,
  ): void => {
    routes.set(path, { name, methods, writeError });
  };
  add(paths.token, 'token', { POST: token, OPTIONS: preflight('POST') });
  add(paths.introspect, 'introspect', { POST: introspect });
  add(paths.revoke, 'revoke', { POST: revoke, OPTIONS: preflight('POST') });
  add(paths.jwks, 'jwks', { GET: jwks, HEAD: jwks, OPTIONS: publicPreflight });
  add(paths.userinfo, 'userinfo', { GET: userinfo, POST: userinfo, OPTIONS: preflight('GET, POST') });
  const authorize: Handler = async (ctx) => {
    await limitAuthorize(ctx);
    await hints.atAuthorization(ctx);
    await page(ctx);
  };
  const signOut: Handler = async (ctx) => {
    await hints.atSignOut(ctx);
    await page(ctx);
  };
  add(paths.authorize, 'authorize', { GET: authorize, POST: asGet }, writePage);
  add(paths.logout, 'logout', { GET: signOut, POST: asGet }, writePage);
  add(`${paths.logout}/confirm`, 'logout confirm', { POST: page }, writePage);
  add(`${paths.logout}/success`, 'logout success', { GET: signOut }, writePage);
  for (const wellKnown of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    const methods = { GET: discovery, HEAD: discovery, OPTIONS: publicPreflight };
    add(wellKnown, 'discovery', methods);
  }

  const resume: Route = { name: 'authorize resume', methods: { GET: page }, writeError: writePage };
  const resumePath = new RegExp(`^${paths.authorize.replaceAll('.', '\\.')}/[A-Za-z0-9_-]{43}$`);
  return (path) => routes.get(path) ?? (resumePath.test(path) ? resume : null);
}

/**
 * OpenID Connect lets a client post these requests (Core 3.1.2.1, RP-Initiated Logout 2). A browser does not send our cookies
 * with a form from another site, but it does when it follows the redirect.
 */
const asGet: Handler = async (ctx) => {
  const query = new URLSearchParams();
  for (const [name, value] of await readParameters(ctx, { limitBytes: 8192, repeatable: ['resource'] })) {
    for (const item of [value].flat()) query.append(name, item);
  }
  ctx.status = 303;
  ctx.redirect(`${new URL(ctx.href).pathname}?${query}`);
};

function publicly(ctx: Context): void {
  ctx.set('Access-Control-Allow-Origin', '*');
  ctx.set('Cache-Control', `public, max-age=${PUBLIC_CACHE_SECONDS}`);
}

/** Metadata and keys are for everyone; MCP clients add a header of their own to the request. */
const publicPreflight: Handler = (ctx) => {
  publicly(ctx);
  ctx.set('Access-Control-Allow-Methods', 'GET');
  ctx.set('Access-Control-Allow-Headers', ctx.get('access-control-request-headers') || 'MCP-Protocol-Version');
  ctx.set('Access-Control-Max-Age', '3600');
  ctx.status = 204;
};
