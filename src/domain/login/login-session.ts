/** The `client_id` of sign-ins by the JSON API: the server itself. No registered client may have it. */
export const LOGIN_CLIENT_ID = 'gatehouse';

/** A sign-in by the JSON API. Kept in the token store as kind LoginSession; its grant id is its own id. */
export interface LoginSession {
  /** `ses_…`: names the sign-in in tokens and lists; proves nothing. */
  id: string;
  accountId: string;
  /** Seconds since the epoch. */
  signedInAt: number;
  expiresAt: number;
  /** Where it began, for the list of sessions. */
  ip: string;
  userAgent: string;
}
