import type { Context } from 'koa';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { Client } from '../../domain/clients/client.ts';
import type { TokenRecord } from '../../domain/tokens/token-record.ts';
import type { DurableTokenStore } from '../../domain/tokens/token-store.ts';
import { type Parameters, required, single } from '../../http/parameters.ts';
import { factsOf } from '../../http/request-context.ts';
import type { Clock } from '../../kit/clock.ts';
import { constantTimeEqual, sha256 } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { createGrants } from './grants.ts';
import type { TokenCodec } from './token-codec.ts';
import { type Grant, grantParameters, type TokenResponse } from './token-endpoint.ts';
import { newTokenUnit, toCommit } from './token-unit.ts';

/** Runs the engine's handler for a grant; its writes land in the request's token unit. */
export type RunEngineGrant = (
  ctx: Context,
  grant: 'authorization_code' | 'refresh_token',
  params: Record<string, string | string[]>,
  clientId: string,
) => Promise<void>;

const refused = (internal: string): AppError =>
  new AppError('invalid_grant', { public: 'the authorization code is not valid', internal });

/** RFC 6749 4.1.3. A code works once; whoever shows a used one ends everything that came of it (RFC 6749 4.1.2), and nothing else. */
export function createCodeGrant({
  tokens,
  codec,
  runEngine,
  audit,
  clock,
}: {
  tokens: DurableTokenStore;
  codec: TokenCodec;
  runEngine: RunEngineGrant;
  audit: RecordAudit;
  clock: Clock;
}): Grant {
  const grants = createGrants({ codec, clock });

  async function endGrant(ctx: Context, record: TokenRecord): Promise<AppError> {
    const { grantId, accountId, clientId } = record;
    if (grantId !== null) await tokens.removeByGrant(grantId, codec.keyOf('Grant', grantId));
    const { ip, requestId } = factsOf(ctx);
    await audit('code.reused', { accountId, clientId, ip, requestId });
    return refused('the code was already used');
  }

  return async ({ ctx, client, parameters }) => {
    const value = required(parameters, 'code');
    const record = await tokens.find('AuthorizationCode', codec.keyOf('AuthorizationCode', value));
    if (!record) throw refused('no such code');
    // Only the rightful holder's reuse counts: a stranger must not be able to end a grant with half the request.
    if (record.consumedAt !== null) {
      throw holdsCode(codec.decode(record), client, parameters)
        ? await endGrant(ctx, record)
        : refused('used code, wrong holder');
    }
    const unit = newTokenUnit();
    unit.known = record;
    // Of a code from before codes carried it the grant is stored already, and the adapter puts it into the unit.
    const carried = grants.ofCode(record);
    unit.grant = carried;
    ctx.state.tokenUnit = unit;
    await runEngine(ctx, 'authorization_code', grantParameters(parameters), client.id);
    if (carried) unit.inserts.push(grants.fitted(carried, unit.inserts, ctx.body as TokenResponse));
    if (!(await tokens.commit(toCommit(unit, clock.nowMs())))) throw await endGrant(ctx, record);
    return ctx.body as TokenResponse;
  };
}

function holdsCode(payload: Record<string, unknown>, client: Client, parameters: Parameters): boolean {
  const challenge = payload.codeChallenge;
  const verifier = single(parameters, 'code_verifier') ?? '';
  return (
    payload.clientId === client.id &&
    payload.redirectUri === single(parameters, 'redirect_uri') &&
    (challenge === undefined || constantTimeEqual(sha256(verifier), String(challenge)))
  );
}
