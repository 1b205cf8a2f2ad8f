/** The kinds of record the OAuth engine persists, by its model names, and two of ours. */
export const TOKEN_KINDS = [
  'Session',
  'Interaction',
  'Grant',
  'AuthorizationCode',
  'RefreshToken',
  'AccessToken',
  'ClientCredentials',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PushedAuthorizationRequest',
  'InitialAccessToken',
  'RegistrationAccessToken',
  /** A `jti` that was seen: client assertions and, later, DPoP proofs. */
  'ReplayMarker',
  /** A sign-in that was signed out, by its session uid: no late write may bring it back. */
  'EndedSession',
  /** A JWT access token revoked before its expiry. */
  'RevokedToken',
  /** A sign-in by the JSON API; `grantId` is its session id. */
  'LoginSession',
  /** Its refresh tokens; `grantId` is the session id. */
  'LoginRefreshToken',
] as const;

export type TokenKind = (typeof TOKEN_KINDS)[number];

/**
 * What may live in Redis: losing it signs people out or asks them again, but never revives a revoked or used credential. Replay
 * markers are not here for that reason.
 */
export const SHORT_LIVED_KINDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'Session',
  'EndedSession',
  'Interaction',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PushedAuthorizationRequest',
  'AccessToken',
  'ClientCredentials',
]);

/**
 * Kinds that are found by something else than their value (a session by uid), or whose payload holds a cookie value (an
 * interaction remembers the session): sealed whole. All others lose their `jti`, which is the bearer value.
 */
export const SEALED_KINDS: ReadonlySet<TokenKind> = new Set<TokenKind>(['Session', 'Interaction', 'DeviceCode']);

export interface TokenRecord {
  kind: TokenKind;
  /** Keyed digest of the bearer value; the value itself is never stored. */
  id: string;
  /** JSON, or sealed JSON for kinds that must give an identifier back. Never contains the bearer value in clear. */
  payload: string;
  grantId: string | null;
  accountId: string | null;
  clientId: string | null;
  /** Of a session its uid, which is not unique (two parallel resumes share one); of a code or grant the session it ends with. */
  uid: string | null;
  userCode: string | null;
  /** Seconds since the epoch. */
  createdAt: number;
  /** Seconds since the epoch; null never expires. */
  expiresAt: number | null;
  /** Milliseconds since the epoch; null while unused. */
  consumedAt: number | null;
  /** The sealed response that consuming this record produced, for the refresh grace window. */
  receipt: string | null;
}
