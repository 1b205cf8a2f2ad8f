import type { Context } from 'koa';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import { allowOrigin } from '../../http/cors.ts';
import { readParameters, required } from '../../http/parameters.ts';
import { factsOf } from '../../http/request-context.ts';
import type { Clock } from '../../kit/clock.ts';
import type { AuthenticateClient } from './client-authentication.ts';
import type { FindToken, FoundToken } from './find-token.ts';
import type { TokenCodec } from './token-codec.ts';

/**
 * RFC 7009. An access token is revoked alone; a refresh token takes its whole grant with it. Unknown tokens and tokens of
 * another client are answered alike and left alone.
 */
export function createRevocation({
  authenticate,
  findToken,
  tokens,
  codec,
  audit,
  clock,
}: {
  authenticate: AuthenticateClient;
  findToken: FindToken;
  tokens: TokenStore;
  codec: TokenCodec;
  audit: RecordAudit;
  clock: Clock;
}): (ctx: Context) => Promise<void> {
  async function revoke(token: FoundToken): Promise<void> {
    if (token.use === 'refresh_token' && token.grantId !== undefined) {
      await tokens.removeByGrant(token.grantId, codec.keyOf('Grant', token.grantId));
    } else if ('kind' in token.stored) {
      await tokens.remove(token.stored.kind, token.stored.id);
    } else {
      // A JWT cannot be taken back; its id is remembered for as long as it would be valid.
      await tokens.insert({
        kind: 'RevokedToken',
        id: token.stored.revokedTokenId,
        payload: '{}',
        grantId: null,
        accountId: null,
        clientId: token.clientId,
        uid: null,
        userCode: null,
        createdAt: clock.nowSeconds(),
        expiresAt: token.expiresAt + 60,
        consumedAt: null,
        receipt: null,
      });
    }
  }

  return async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    const parameters = await readParameters(ctx);
    const client = await authenticate(ctx, parameters);
    allowOrigin(ctx, client.allowedOrigins);
    const token = await findToken(required(parameters, 'token'));
    if (token && token.clientId === client.id) {
      await revoke(token);
      const { ip, requestId } = factsOf(ctx);
      await audit('token.revoked', {
        clientId: client.id,
        accountId: token.subject === client.id ? null : token.subject,
        ip,
        requestId,
        details: { use: token.use },
      });
    }
    ctx.status = 200;
    ctx.body = '';
  };
}
