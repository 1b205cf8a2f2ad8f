import type { Context } from 'koa';
import type { Client } from '../../domain/clients/client.ts';
import type { FoundAccessToken, FoundSession } from '../../domain/credentials/token-resolver.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { AuthenticateClient } from './client-authentication.ts';
import type { FindToken } from './find-token.ts';
import type { TokenCodec } from './token-codec.ts';

/** What the JSON API asks of the OAuth side: what a token, a session cookie or a resource server's own proof stands for. */

export function createFindAccessToken({
  findToken,
}: {
  findToken: FindToken;
}): (text: string) => Promise<FoundAccessToken | null> {
  return async (text) => {
    const token = await findToken(text);
    if (token?.use !== 'access_token') return null;
    const { stored, ...rest } = token;
    return { ...rest, tokenId: 'id' in stored ? stored.id : stored.revokedTokenId };
  };
}

/** By the value of the session cookie, whose signature was checked. */
export function createFindSession({
  tokens,
  codec,
  clock,
  absoluteSeconds,
}: {
  tokens: Pick<TokenStore, 'find'>;
  codec: TokenCodec;
  clock: Clock;
  absoluteSeconds: number;
}): (value: string) => Promise<FoundSession | null> {
  return async (value) => {
    const key = codec.keyOf('Session', value);
    const record = await tokens.find('Session', key);
    if (!record) return null;
    const { accountId, loginTs } = (codec.open(record) ?? {}) as { accountId?: string; loginTs?: number };
    if (accountId === undefined || loginTs === undefined) return null;
    // A session slides while it is used; at an absolute age it ends all the same.
    const expiresAt = Math.min(record.expiresAt ?? Number.MAX_SAFE_INTEGER, loginTs + absoluteSeconds);
    return expiresAt > clock.nowSeconds() ? { accountId, signedInAt: loginTs, expiresAt, tokenId: key } : null;
  };
}

/** A resource server that calls us: by Basic with its secret, as at introspection, or by an access token of its own. */
export function createAuthenticateCaller({
  authenticate,
  findToken,
  findClient,
  audience,
}: {
  authenticate: AuthenticateClient;
  findToken: FindToken;
  findClient: (id: string) => Promise<Client | null>;
  /** What its access token must be for. */
  audience: string;
}): (ctx: Context) => Promise<{ client: Client; scopes: readonly string[] }> {
  return async (ctx) => {
    const header = ctx.get('x-gateway-authorization') || ctx.get('authorization');
    const bearer = /^bearer +(\S+)$/i.exec(header)?.[1];
    if (bearer === undefined) {
      if (header === '') throw new AppError('invalid_client', { public: 'authenticate as a resource server' });
      const client = await authenticate(ctx, new Map(), header);
      return { client, scopes: client.scopes };
    }
    const token = await findToken(bearer);
    const isItsOwn = token?.use === 'access_token' && token.subject === token.clientId && token.confirmation === null;
    const client = token && isItsOwn && token.audience === audience ? await findClient(token.clientId) : null;
    if (!token || !client) throw new AppError('invalid_client', { public: 'the access token is not valid here' });
    return { client, scopes: (token.scope ?? '').split(' ').filter((scope) => client.scopes.includes(scope)) };
  };
}
