import type { Context } from 'koa';
import { isPublicClient } from '../../domain/clients/client.ts';
import { toClaim } from '../../domain/credentials/confirmation.ts';
import type { Principal } from '../../domain/credentials/principal.ts';
import { looksLikeToken } from '../../domain/credentials/resolve.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { readParameters, required } from '../../http/parameters.ts';
import { AppError } from '../../kit/errors.ts';
import type { AuthenticateClient } from './client-authentication.ts';
import type { FindToken, FoundToken } from './find-token.ts';

/**
 * RFC 7662, for opaque and JWT access tokens, refresh tokens and API keys. Of a token only the resource server that is the
 * audience, or the client it belongs to, learns anything; everybody else sees the same as for a token that does not exist. An
 * API key is meant for every resource server here, and is of the usual environment unless the request says `environment`: a name, several
 * separated by spaces, or `*`.
 */
export function createIntrospection({
  issuer,
  authenticate,
  findToken,
  findResource,
  mayBeKey,
  findApiKey,
  includesUsualEnvironment,
}: {
  issuer: string;
  authenticate: AuthenticateClient;
  findToken: FindToken;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  /** False for a token that was made here, over or not. */
  mayBeKey: (text: string) => Promise<boolean>;
  /** Null for what is no live API key; counts and limits its use like verify. */
  findApiKey: (ctx: Context, text: string, environments: readonly string[] | undefined) => Promise<Principal | null>;
  /** Tokens count as the usual environment. */
  includesUsualEnvironment: (environments: readonly string[] | undefined) => boolean;
}): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    ctx.res.setHeader('Cache-Control', 'no-store');
    const parameters = await readParameters(ctx);
    const caller = await authenticate(ctx, parameters);
    if (isPublicClient(caller)) {
      throw new AppError('invalid_client', { public: 'introspection needs a client that can authenticate' });
    }
    const text = required(parameters, 'token');
    // RFC 7662 2.1 leaves room for what a resource server wants to add. Without it, a key for trying out is inactive.
    const environments = readEnvironments(parameters.get('environment'));
    const isLookedFor = looksLikeToken(text) && includesUsualEnvironment(environments);
    const token = isLookedFor ? await findToken(text) : null;
    if (!token && (await mayBeKey(text))) {
      const key = await findApiKey(ctx, text, environments);
      answer(ctx, key?.method === 'api_key' ? aboutKey(key) : INACTIVE);
      return;
    }
    const audience = token?.audience === undefined ? null : await findResource(token.audience);
    if (!token || token.used || (token.clientId !== caller.id && audience?.clientId !== caller.id)) {
      answer(ctx, INACTIVE);
      return;
    }
    answer(ctx, {
      active: true,
      iss: issuer,
      sub: token.subject,
      client_id: token.clientId,
      scope: token.scope,
      aud: token.audience,
      exp: token.expiresAt,
      iat: token.issuedAt,
      jti: token.jti,
      token_type: token.use === 'access_token' ? tokenType(token) : undefined,
      cnf: token.confirmation ? toClaim(token.confirmation) : undefined,
    });
  };
}

const INACTIVE = { active: false };

/** As Koa would write it, without looking up what JSON is called. */
function answer(ctx: Context, body: object): void {
  ctx.res.setHeader('Content-Type', 'application/json; charset=utf-8');
  ctx.body = JSON.stringify(body);
}

function readEnvironments(given: string | readonly string[] | undefined): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const names = [given].flat().flatMap((text) => text.split(' ').filter(Boolean));
  if (names.length > 0) return names;
  throw new AppError('invalid_request', { public: 'environment: use a name, several separated by spaces, or *' });
}

function aboutKey(key: Principal) {
  return {
    active: true,
    sub: key.subject,
    scope: key.scopes.join(' '),
    exp: key.expiresAt ?? undefined,
    iat: key.issuedAt ?? undefined,
    token_type: 'api_key',
    key_id: key.keyId,
    namespace: key.namespace,
    environment: key.environment,
  };
}

/** RFC 9449 6.2. A token that is bound to a certificate is sent as Bearer (RFC 8705 3). */
const tokenType = ({ confirmation }: FoundToken): string => (confirmation?.jkt === undefined ? 'Bearer' : 'DPoP');
