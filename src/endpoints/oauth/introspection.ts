import type { Context } from 'koa';
import { isPublicClient } from '../../domain/clients/client.ts';
import { toClaim } from '../../domain/credentials/confirmation.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { readParameters, required } from '../../http/parameters.ts';
import { AppError } from '../../kit/errors.ts';
import type { AuthenticateClient } from './client-authentication.ts';
import type { FindToken, FoundToken } from './find-token.ts';

/**
 * RFC 7662, for opaque and JWT access tokens and refresh tokens. Only the resource server that is the audience, or the client
 * the token belongs to, learns anything; everybody else sees the same as for a token that does not exist.
 */
export function createIntrospection({
  issuer,
  authenticate,
  findToken,
  findResource,
}: {
  issuer: string;
  authenticate: AuthenticateClient;
  findToken: FindToken;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
}): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    const parameters = await readParameters(ctx);
    const caller = await authenticate(ctx, parameters);
    if (isPublicClient(caller)) {
      throw new AppError('invalid_client', { public: 'introspection needs a client that can authenticate' });
    }
    const token = await findToken(required(parameters, 'token'));
    const audience = token?.audience === undefined ? null : await findResource(token.audience);
    if (!token || token.used || (token.clientId !== caller.id && audience?.clientId !== caller.id)) {
      ctx.body = { active: false };
      return;
    }
    ctx.body = {
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
    };
  };
}

/** RFC 9449 6.2. A token that is bound to a certificate is sent as Bearer (RFC 8705 3). */
const tokenType = ({ confirmation }: FoundToken): string => (confirmation?.jkt === undefined ? 'Bearer' : 'DPoP');
