import type { TokenRecord } from '../../domain/tokens/token-record.ts';
import type { Clock } from '../../kit/clock.ts';
import type { EnginePayload, TokenCodec } from './token-codec.ts';
import type { TokenResponse } from './token-endpoint.ts';

const DAY = 86_400;

/** How much longer than its last token a grant lives: clocks differ, and a refresh need not prolong it each time. */
const SLACK_SECONDS = { refreshable: DAY, final: 60 };

/**
 * The grant of an authorization. Each authorization has its own: what ends one (a code shown twice, a stolen refresh token) must
 * not end the others of the same browser. It comes to be when the code is redeemed, together with the tokens that hang on it, so
 * authorizations that nobody redeems leave nothing behind. Until then the code carries what was granted.
 */
export function createGrants({ codec, clock }: { codec: TokenCodec; clock: Clock }) {
  function encode(grantId: string, payload: EnginePayload, expiresAt: number): TokenRecord {
    const now = clock.nowSeconds();
    return codec.encode('Grant', grantId, { ...payload, exp: expiresAt }, Math.max(1, expiresAt - now));
  }

  /** When a grant with these tokens has to end at the earliest. */
  function lastOf(tokens: readonly TokenRecord[]): number | null {
    const refresh = tokens.find(({ kind }) => kind === 'RefreshToken');
    return refresh?.expiresAt ?? null;
  }

  return {
    /** Null for a code whose grant is stored already, as they were before. */
    ofCode(code: TokenRecord): TokenRecord | null {
      const { grantId, clientId, accountId, sessionUid, expiresWithSession, grant } = codec.decode(code);
      if (!grantId || !grant) return null;
      const now = clock.nowSeconds();
      const session = expiresWithSession ? { sessionUid, expiresWithSession } : {};
      return encode(grantId, { kind: 'Grant', iat: now, clientId, accountId, ...grant, ...session }, now + DAY);
    },
    /** The same with the life that its tokens need. A JWT is nowhere stored; its answer says how long it lives. */
    fitted(grant: TokenRecord, tokens: readonly TokenRecord[], { expires_in }: TokenResponse): TokenRecord {
      const last = lastOf(tokens);
      const final = clock.nowSeconds() + Number(expires_in) + SLACK_SECONDS.final;
      const expiresAt = Math.max(last === null ? 0 : last + SLACK_SECONDS.refreshable, final);
      return encode(grant.grantId ?? '', codec.decode(grant), expiresAt);
    },
    /** The grant with a longer life, or null when it lives long enough for these tokens. */
    prolonged(grant: TokenRecord, tokens: readonly TokenRecord[]): TokenRecord | null {
      const last = lastOf(tokens);
      if (last === null || grant.expiresAt === null || grant.expiresAt >= last) return null;
      return encode(grant.grantId ?? '', codec.decode(grant), last + SLACK_SECONDS.refreshable);
    },
  };
}
