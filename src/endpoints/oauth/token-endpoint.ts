import type { Context } from 'koa';
import { type Client, GRANT_TYPES, type GrantType } from '../../domain/clients/client.ts';
import { allowOrigin } from '../../http/cors.ts';
import { type Parameters, readParameters, required } from '../../http/parameters.ts';
import { AppError } from '../../kit/errors.ts';
import type { AuthenticateClient } from './client-authentication.ts';

/** RFC 6749 5.1. */
export interface TokenResponse {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token?: string;
  id_token?: string;
  scope?: string;
}

/** One grant: the client is authenticated and may use it. Throws AppError. */
export type Grant = (request: { ctx: Context; client: Client; parameters: Parameters }) => Promise<TokenResponse>;

const CLIENT_PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type'];

/** The fixed order of every token request; a grant cannot leave a step out. */
export function createTokenEndpoint({
  authenticate,
  grants,
}: {
  authenticate: AuthenticateClient;
  grants: Readonly<Record<GrantType, Grant>>;
}): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    const parameters = await readParameters(ctx, { json: true, repeatable: ['resource'] });
    const client = await authenticate(ctx, parameters);
    allowOrigin(ctx, client.allowedOrigins);
    const asked = required(parameters, 'grant_type');
    const grantType = GRANT_TYPES.find((type) => type === asked);
    if (!grantType) throw new AppError('unsupported_grant_type', { public: 'this grant type is not supported' });
    if (!client.grantTypes.includes(grantType)) {
      throw new AppError('unauthorized_client', { public: `this client may not use the grant type ${grantType}` });
    }
    // Ignoring it would answer with a token that is not bound to anything.
    if (ctx.get('dpop') !== '' && grantType !== 'client_credentials') {
      throw new AppError('invalid_request', { public: 'DPoP is offered for the grant type client_credentials only' });
    }
    ctx.state.label = `token ${grantType}`;
    ctx.body = await grants[grantType]({ ctx, client, parameters });
  };
}

/** What is left for the grant itself, in the shape the engine reads. */
export function grantParameters(parameters: Parameters): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of parameters) {
    if (CLIENT_PARAMETERS.includes(name) || name === '__proto__') continue;
    out[name] = typeof value === 'string' ? value : value.length === 1 ? (value[0] as string) : [...value];
  }
  return out;
}
