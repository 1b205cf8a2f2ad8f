import { SEALED_KINDS, type TokenKind, type TokenRecord } from '../../domain/tokens/token-record.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { SealError, type Sealer } from '../../kit/seal.ts';
import { fromCompact, toCompact } from './compact.ts';

/** The engine's payload of any model; only what the store needs to know is named. */
export interface EnginePayload {
  [key: string]: unknown;
  jti?: string;
  exp?: number;
  grantId?: string;
  accountId?: string;
  clientId?: string;
  uid?: string;
  userCode?: string;
  consumed?: unknown;
  sessionUid?: string;
  expiresWithSession?: boolean;
  /** Of a code: what was granted, of which its redemption makes the grant. */
  grant?: Granted;
}

/** The part of the engine's Grant that says what was granted. */
export interface Granted {
  openid?: unknown;
  resources?: unknown;
}

/** Kept after their expiry, so that a late replay of a used code is still recognised. */
const KEEP_SECONDS: Partial<Record<TokenKind, number>> = { AuthorizationCode: 3600 };

export interface TokenCodec {
  /** The key under which a bearer value is stored. */
  keyOf(kind: TokenKind, value: string): string;
  encode(kind: TokenKind, value: string, payload: EnginePayload, expiresInSeconds?: number): TokenRecord;
  /** `value` is unknown when the record was found by uid or user code; then the sealed payload gives it back. */
  decode(record: TokenRecord, value?: string): EnginePayload;
  /** The same for kinds that are sealed; null for one that somebody else changed. */
  open(record: TokenRecord, value?: string): EnginePayload | null;
}

/** The grant a record ends with. An interaction only mentions one, and must outlive it: it may be what ends it. */
function grantOf(kind: TokenKind, value: string, payload: EnginePayload): string | null {
  if (kind === 'Grant') return value;
  return kind === 'Interaction' ? null : (payload.grantId ?? null);
}

/** The session by whose uid a record is found: its own, or the one it ends with. */
function uidOf(kind: TokenKind, payload: EnginePayload): string | null {
  if (kind === 'Session') return payload.uid ?? null;
  const endsWithSession = (kind === 'AuthorizationCode' || kind === 'Grant') && payload.expiresWithSession;
  return endsWithSession ? (payload.sessionUid ?? null) : null;
}

const plainOf = (kind: TokenKind, payload: EnginePayload): string | Buffer =>
  kind === 'Interaction' ? toCompact(payload) : JSON.stringify(payload);

/** Translates between what the engine hands over and what is kept at rest. */
export function createTokenCodec({
  digester,
  sealer,
  clock,
}: {
  digester: Digester;
  sealer: Sealer;
  clock: Clock;
}): TokenCodec {
  const keyOf = (kind: TokenKind, value: string): string => digester.digest(kind, value);

  function decode(record: TokenRecord, value?: string): EnginePayload {
    const { kind, id } = record;
    const payload = SEALED_KINDS.has(kind)
      ? fromCompact(sealer.open(record.payload, `${kind}:${id}`))
      : (JSON.parse(record.payload) as EnginePayload);
    if (value !== undefined) payload.jti = value;
    if (record.consumedAt !== null) payload.consumed = Math.floor(record.consumedAt / 1000);
    return payload;
  }

  return {
    keyOf,
    decode,
    open(record, value) {
      try {
        return decode(record, value);
      } catch (error) {
        if (error instanceof SealError) return null;
        throw error;
      }
    },
    encode(kind, value, payload, expiresInSeconds) {
      const id = keyOf(kind, value);
      const { jti: _, consumed: __, ...rest } = payload;
      const session = payload.session as { accountId?: string } | undefined;
      const now = clock.nowSeconds();
      return {
        kind,
        id,
        payload: SEALED_KINDS.has(kind)
          ? sealer.seal(plainOf(kind, { ...rest, jti: value }), `${kind}:${id}`)
          : JSON.stringify(rest),
        grantId: grantOf(kind, value, payload),
        accountId: payload.accountId ?? session?.accountId ?? null,
        clientId: payload.clientId ?? null,
        uid: uidOf(kind, payload),
        userCode: payload.userCode ?? null,
        createdAt: now,
        expiresAt: expiresInSeconds === undefined ? null : now + expiresInSeconds + (KEEP_SECONDS[kind] ?? 0),
        consumedAt: null,
        receipt: null,
      };
    },
  };
}
