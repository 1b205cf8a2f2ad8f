import type { TokenRecord } from '../../domain/tokens/token-record.ts';
import type { TokenCommit } from '../../domain/tokens/token-store.ts';

/**
 * What one token request wants to change. The engine checks and builds, the adapter notes its writes here, and the token
 * endpoint commits them together: a code or refresh token is used up exactly when the tokens it stands for exist. A process
 * that dies before the commit has changed nothing, so the same request can be sent again.
 */
export interface TokenUnit {
  consume: { kind: 'AuthorizationCode' | 'RefreshToken'; id: string } | null;
  inserts: TokenRecord[];
  /** Read already by the token endpoint, so the engine need not read it again. */
  known: TokenRecord | null;
  /** The grant of the tokens: of a code the one that its redemption makes, not stored yet; of a refresh the stored one. */
  grant: TokenRecord | null;
}

export const newTokenUnit = (): TokenUnit => ({ consume: null, inserts: [], known: null, grant: null });

export function toCommit(unit: TokenUnit, atMs: number, receipt?: string): TokenCommit {
  const { consume, inserts } = unit;
  if (!consume) return { inserts };
  return { consume: { ...consume, atMs, ...(receipt === undefined ? {} : { receipt }) }, inserts };
}
