import type { Context } from 'koa';
import { errors } from 'oidc-provider';
import type { AccountStore } from '../../domain/accounts/account-store.ts';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { Client } from '../../domain/clients/client.ts';
import { createReceipts } from '../../domain/tokens/receipt.ts';
import type { TokenRecord } from '../../domain/tokens/token-record.ts';
import type { DurableTokenStore } from '../../domain/tokens/token-store.ts';
import { type Parameters, required, single } from '../../http/parameters.ts';
import { factsOf } from '../../http/request-context.ts';
import { type Clock, isWithin } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { RunEngineGrant } from './code-grant.ts';
import { fromEngineError } from './engine-errors.ts';
import { createGrants } from './grants.ts';
import type { TokenCodec } from './token-codec.ts';
import { type Grant, grantParameters, type TokenResponse } from './token-endpoint.ts';
import { newTokenUnit, toCommit } from './token-unit.ts';

const refused = (internal: string): AppError =>
  new AppError('invalid_grant', { public: 'the refresh token is not valid', internal });

/**
 * RFC 6749 6 with same-successor rotation. The first use mints the successor and keeps the response, sealed so that only the
 * holder of the used token can open it. For `graceSeconds` a retry with the same client, scope and resource gets that very
 * response; a client that lost it, or two tabs at once, stay signed in. Any later use is a copy in other hands: the grant ends.
 */
export function createRefreshGrant({
  tokens,
  codec,
  runEngine,
  accounts,
  audit,
  clock,
  receiptKey,
  graceSeconds,
}: {
  tokens: DurableTokenStore;
  codec: TokenCodec;
  runEngine: RunEngineGrant;
  accounts: Pick<AccountStore, 'find'>;
  audit: RecordAudit;
  clock: Clock;
  /** See `createReceipts`. */
  receiptKey: (token: string) => string;
  graceSeconds: number;
}): Grant {
  const grants = createGrants({ codec, clock });
  const receipts = createReceipts<TokenResponse>({ receiptKey });

  async function endGrant(ctx: Context, { grantId, accountId, clientId }: TokenRecord): Promise<AppError> {
    if (grantId !== null) await tokens.removeByGrant(grantId, codec.keyOf('Grant', grantId));
    const { ip, requestId } = factsOf(ctx);
    await audit('refresh_token.reused', { accountId, clientId, ip, requestId });
    return refused('the refresh token was already used; its grant was revoked');
  }

  /** The answer to a token that was used before. */
  async function replay(
    ctx: Context,
    record: TokenRecord,
    value: string,
    request: RefreshRequest,
  ): Promise<TokenResponse> {
    const { consumedAt, receipt, grantId, accountId, clientId } = record;
    if (consumedAt === null || receipt === null || !isWithin(consumedAt, graceSeconds * 1000, clock.nowMs())) {
      throw await endGrant(ctx, record);
    }
    // What ends a refresh must end its replay: a revoked grant, a disabled account.
    const [grant, account] = await Promise.all([
      grantId === null ? null : tokens.find('Grant', codec.keyOf('Grant', grantId)),
      accountId === null ? null : accounts.find(accountId),
    ]);
    if (!grant || !account || account.disabledAt !== null) throw refused('the grant or account ended');
    refuseAsIfUnused(codec.decode(record), request);
    const kept = receipts.open(value, request.context, receipt);
    if (!kept) throw refused('a retry with another scope or resource');
    const { ip, requestId, addressGroup } = factsOf(ctx);
    if (kept.addressGroup !== addressGroup) {
      await audit('refresh_token.replayed', {
        accountId,
        clientId,
        ip,
        requestId,
        details: { firstUse: kept.addressGroup },
      });
    }
    return kept.response;
  }

  /** A grant lives about as long as its newest token: once a day a refresh has to prolong it. */
  async function prolongGrant(grant: TokenRecord, tokensOfIt: readonly TokenRecord[]): Promise<void> {
    const longer = grants.prolonged(grant, tokensOfIt);
    // One that was revoked meanwhile stays revoked.
    if (longer && !(await tokens.update(longer))) throw refused('the grant ended meanwhile');
  }

  return async ({ ctx, client, parameters }) => {
    const value = required(parameters, 'refresh_token');
    const id = codec.keyOf('RefreshToken', value);
    const record = await tokens.find('RefreshToken', id);
    if (!record) throw refused('no such refresh token');
    if (record.clientId !== client.id) throw refused('the refresh token belongs to another client');
    const request = readRequest(id, client, parameters);
    if (record.consumedAt !== null) return replay(ctx, record, value, request);

    const unit = newTokenUnit();
    unit.known = record;
    ctx.state.tokenUnit = unit;
    const params = { ...grantParameters(parameters), ...scopeLeft(codec.decode(record), client, request) };
    await runEngine(ctx, 'refresh_token', params, client.id);
    const response = ctx.body as TokenResponse;
    if (unit.grant) await prolongGrant(unit.grant, unit.inserts);
    const { addressGroup } = factsOf(ctx);
    const receipt = graceSeconds > 0 ? receipts.seal(value, request.context, { response, addressGroup }) : undefined;
    if (await tokens.commit(toCommit(unit, clock.nowMs(), receipt))) return response;
    // Somebody else was faster: the successor minted here was never stored, theirs is the answer.
    const winner = await tokens.find('RefreshToken', id);
    if (!winner) throw refused('the grant ended meanwhile');
    return replay(ctx, winner, value, request);
  };
}

interface RefreshRequest {
  scopes: string[];
  resources: string[];
  /** What a receipt is bound to. */
  context: string;
}

function readRequest(id: string, client: Client, parameters: Parameters): RefreshRequest {
  const scopes = (single(parameters, 'scope')?.split(' ') ?? []).sort();
  const named = parameters.get('resource') ?? [];
  const resources = typeof named === 'string' ? [named] : [...named];
  return { scopes, resources, context: JSON.stringify(['refresh-receipt', id, client.id, scopes, resources]) };
}

/** The scope to ask the engine for, when the client may have less today than the family was granted. */
function scopeLeft(payload: Record<string, unknown>, client: Client, { scopes }: RefreshRequest): { scope?: string } {
  const granted = String(payload.scope ?? '')
    .split(' ')
    .filter(Boolean);
  if (granted.every((scope) => client.scopes.includes(scope))) return {};
  // What was never granted stays in the request: the engine refuses it by name.
  const asked = scopes.length > 0 ? scopes : granted;
  const left = asked.filter((scope) => client.scopes.includes(scope) || !granted.includes(scope));
  if (left.length === 0) throw new AppError('invalid_scope', { public: 'nothing of this scope is left to the client' });
  return { scope: left.join(' ') };
}

/**
 * Within the window, a request that would have failed without using the token fails the same way. Otherwise whoever holds a
 * copy could ask, with a scope that does not exist, whether its owner has used it yet, and follow unnoticed.
 */
function refuseAsIfUnused(payload: Record<string, unknown>, { scopes, resources }: RefreshRequest): void {
  const granted = String(payload.scope ?? '').split(' ');
  const missing = scopes.filter((scope) => !granted.includes(scope));
  if (missing.length > 0) {
    const what = missing.length === 1 ? 'scope' : 'scopes';
    throw new AppError('invalid_scope', { public: `refresh token missing requested ${what}` });
  }
  const allowed = [payload.resource ?? []].flat();
  if (resources.length > 1 || resources.some((resource) => !allowed.includes(resource))) {
    throw fromEngineError(
      resources.length > 1
        ? new errors.InvalidTarget(
            'only a single resource indicator value must be requested/resolved during Access Token Request',
          )
        : new errors.InvalidTarget(),
    );
  }
}
