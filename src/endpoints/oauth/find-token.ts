import type { Client } from '../../domain/clients/client.ts';
import type { VerifyJwt } from '../../domain/credentials/access-token-verifier.ts';
import { type Confirmation, confirmationOf } from '../../domain/credentials/confirmation.ts';
import type { TokenKind, TokenRecord } from '../../domain/tokens/token-record.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { EnginePayload, TokenCodec } from './token-codec.ts';

/** A token of this server that nothing has ended yet. Times are seconds since the epoch. */
export interface FoundToken {
  use: 'access_token' | 'refresh_token';
  clientId: string;
  /** The account, or the client itself for a client's own token. */
  subject: string;
  scope: string | undefined;
  audience: string | undefined;
  issuedAt: number | undefined;
  expiresAt: number;
  jti: string | undefined;
  grantId: string | undefined;
  /** A refresh token that was rotated: no longer good for anything but to name its grant. */
  used: boolean;
  /** What its sender has to prove; null for a bearer token. */
  confirmation: Confirmation | null;
  /** How to revoke it. */
  stored: { kind: TokenKind; id: string } | { revokedTokenId: string };
}

/** Finds any token by its value and checks everything that could have ended it. Null when something did. */
export type FindToken = (value: string) => Promise<FoundToken | null>;

/** Also those from before texts were tagged; who may ask here is known. */
const OPAQUE = /^g[ar]t_[A-Za-z0-9_-]{43}$/;
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export function createFindToken({
  tokens,
  codec,
  clock,
  findClient,
  verifyJwt,
}: {
  tokens: TokenStore;
  codec: TokenCodec;
  clock: Clock;
  findClient: (id: string) => Promise<Client | null>;
  verifyJwt: VerifyJwt;
}): FindToken {
  async function findOpaque(value: string): Promise<FoundToken | null> {
    const kind = value.startsWith('grt_') ? 'RefreshToken' : 'AccessToken';
    const record = await tokens.find(kind, codec.keyOf(kind, value));
    if (!record) return null;
    const payload = codec.decode(record, value);
    if (!(await grantLives(record, payload))) return null;
    return {
      use: record.kind === 'RefreshToken' ? 'refresh_token' : 'access_token',
      clientId: String(payload.clientId),
      subject: payload.accountId ?? String(payload.clientId),
      scope: payload.scope as string | undefined,
      audience: payload.aud as string | undefined,
      issuedAt: payload.iat as number | undefined,
      expiresAt: payload.exp ?? 0,
      jti: undefined,
      grantId: payload.grantId,
      used: record.consumedAt !== null,
      confirmation: 'jkt' in payload || 'x5t#S256' in payload ? confirmationOf(payload) : null,
      stored: { kind: record.kind, id: record.id },
    };
  }

  /** A user's token lives no longer than its grant and, without offline access, its session. */
  async function grantLives({ grantId }: TokenRecord, payload: EnginePayload): Promise<boolean> {
    if (grantId === null) return true;
    const sessionUid = payload.expiresWithSession ? (payload.sessionUid as string) : null;
    const [grant, sessions] = await Promise.all([
      tokens.find('Grant', codec.keyOf('Grant', grantId)),
      sessionUid === null ? null : tokens.findByUid(sessionUid),
    ]);
    const now = clock.nowSeconds();
    const live = (record: TokenRecord): boolean => record.expiresAt === null || record.expiresAt > now;
    // By the uid that is sealed: a row that only says so belongs to another sign-in.
    const isOfSignIn = (session: TokenRecord): boolean => live(session) && codec.open(session)?.uid === sessionUid;
    return grant !== null && live(grant) && (sessions === null || sessions.some(isOfSignIn));
  }

  async function findJwt(value: string): Promise<FoundToken | null> {
    const jwt = await verifyJwt(value);
    if (jwt.kind !== 'valid') return null;
    const { sub = '', jti = '', scope, aud, iat, exp = 0, client_id: clientId, gid, cnf } = jwt.claims;
    const revokedTokenId = codec.keyOf('RevokedToken', jti);
    const grantKey = typeof gid === 'string' ? codec.keyOf('Grant', gid) : null;
    const found = await tokens.findMany([
      { kind: 'RevokedToken', id: revokedTokenId },
      ...(grantKey === null ? [] : [{ kind: 'Grant' as const, id: grantKey }]),
    ]);
    if (found.some((record) => record.kind === 'RevokedToken')) return null;
    if (grantKey !== null && !found.some((record) => record.kind === 'Grant')) return null;
    return {
      use: 'access_token',
      clientId: String(clientId),
      subject: sub,
      scope: scope as string | undefined,
      audience: typeof aud === 'string' ? aud : aud?.[0],
      issuedAt: iat,
      expiresAt: exp,
      jti,
      grantId: gid as string | undefined,
      used: false,
      confirmation: confirmationOf(cnf),
      stored: { revokedTokenId },
    };
  }

  return async (value) => {
    const token = OPAQUE.test(value) ? await findOpaque(value) : JWT.test(value) ? await findJwt(value) : null;
    if (!token || token.expiresAt <= clock.nowSeconds()) return null;
    // A deleted client's tokens end with it, and are not those of a new client with its id.
    const client = await findClient(token.clientId);
    return client && (token.issuedAt ?? 0) >= Math.floor(client.createdAt / 1000) ? token : null;
  };
}
