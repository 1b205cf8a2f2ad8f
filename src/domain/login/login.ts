import type { Account } from '../accounts/account.ts';
import type { KnownDevice } from '../accounts/known-device.ts';
import type { LoginSession } from './login-session.ts';

/** What a sign-in or refresh hands out. */
export interface LoginTokens {
  account: Account;
  session: LoginSession;
  /** RFC 9068 JWT, ES256. */
  accessToken: string;
  accessTokenExpiresAt: number;
  /** `grt_…`, single use. */
  refreshToken: string;
  refreshTokenExpiresAt: number;
  scopes: readonly string[];
}

/** Where a request came from. */
export interface LoginOrigin {
  ip: string;
  addressGroup: string;
  requestId: string;
  userAgent: string;
  knownDevice: KnownDevice | null;
}

/** The JSON login. One implementation of sign-in with the sign-in page: same throttling, timing and answers. */
export interface Login {
  /** Throws email_taken, invalid_request (password rules), sign_up_closed. */
  signUp(
    input: { email: string; password: string; givenName?: string; familyName?: string },
    origin: LoginOrigin,
  ): Promise<Account>;
  /** Throws invalid_credentials or too_many_requests. */
  login(input: { email: string; password: string }, origin: LoginOrigin): Promise<LoginTokens>;
  /** Same-successor rotation as at the token endpoint; throws invalid_refresh_token. Reuse ends the session. */
  refresh(refreshToken: string, origin: LoginOrigin): Promise<LoginTokens>;
  /** Ends the session of an account. False when it has no such session. */
  endSession(accountId: string, sessionId: string, origin: LoginOrigin): Promise<boolean>;
  /** By the refresh token, for a browser whose access token has expired. Unknown tokens are no news. */
  endSessionOf(refreshToken: string, origin: LoginOrigin): Promise<void>;
  /**
   * The sign-in that a refresh token came from, whether or not the token still works: who has one signed in to its account
   * before. Null for one that is not ours or no longer kept.
   */
  deviceOf(refreshToken: string): Promise<KnownDevice | null>;
  sessions(accountId: string): Promise<LoginSession[]>;
  /** Signs the account out everywhere. Throws invalid_credentials, too_many_requests, invalid_request. */
  changePassword(
    accountId: string,
    input: { currentPassword: string; newPassword: string },
    origin: LoginOrigin,
  ): Promise<void>;
}
