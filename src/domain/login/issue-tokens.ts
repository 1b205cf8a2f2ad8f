import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { newSecret } from '../../kit/ids.ts';
import type { Account } from '../accounts/account.ts';
import type { KeySet } from '../signing-keys/key-set.ts';
import { signJwt } from '../signing-keys/sign-jwt.ts';
import { createBearerText } from '../tokens/bearer-text.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { LoginTokens } from './login.ts';
import { LOGIN_CLIENT_ID } from './login-session.ts';

/** Seconds. */
export interface LoginLifetimes {
  accessToken: number;
  /** Without a refresh for so long, a session cannot be refreshed any more. */
  sessionIdle: number;
  /** However busy it is, a session ends so long after its sign-in. */
  sessionAbsolute: number;
  /** How long a retry of a refresh gets the answer of the first try. */
  refreshGrace: number;
}

/** What a refresh token stands for; its record's payload. Handed on unchanged, so no refresh prolongs or widens it. */
export interface LoginGrant {
  sessionId: string;
  accountId: string;
  /** Seconds since the epoch. */
  signedInAt: number;
  sessionExpiresAt: number;
  /** As at the sign-in; a token gets those of them that the account still has. */
  scopes: readonly string[];
}

export type IssuedTokens = Omit<LoginTokens, 'account' | 'session'>;

/** Makes an access token and a refresh token, the latter with the record to store. Nothing is stored here. */
export type IssueLoginTokens = (grant: LoginGrant, account: Account) => { issued: IssuedTokens; record: TokenRecord };

export function createIssueLoginTokens({
  issuer,
  audience,
  keySet,
  digester,
  clock,
  scopesOf,
  lifetimes,
}: {
  issuer: string;
  audience: string;
  keySet: KeySet;
  digester: Digester;
  clock: Clock;
  scopesOf: (account: Account) => readonly string[];
  lifetimes: Pick<LoginLifetimes, 'accessToken' | 'sessionIdle'>;
}): IssueLoginTokens {
  const bearerText = createBearerText({ digester });
  return (grant, account) => {
    const iat = clock.nowSeconds();
    const accessTokenExpiresAt = Math.min(iat + lifetimes.accessToken, grant.sessionExpiresAt);
    const refreshTokenExpiresAt = Math.min(iat + lifetimes.sessionIdle, grant.sessionExpiresAt);
    const held = scopesOf(account);
    const scopes = grant.scopes.filter((scope) => held.includes(scope));
    const refreshToken = bearerText.make('grt_', newSecret());
    const accessToken = signJwt(keySet.signer('ES256'), 'at+jwt', {
      iss: issuer,
      sub: account.id,
      aud: audience,
      client_id: LOGIN_CLIENT_ID,
      scope: scopes.join(' '),
      iat,
      exp: accessTokenExpiresAt,
      jti: newSecret(),
      sid: grant.sessionId,
      auth_time: grant.signedInAt,
    });
    return {
      issued: { accessToken, accessTokenExpiresAt, refreshToken, refreshTokenExpiresAt, scopes },
      record: {
        kind: 'LoginRefreshToken',
        id: digester.digest('LoginRefreshToken', refreshToken),
        payload: JSON.stringify(grant),
        grantId: grant.sessionId,
        accountId: grant.accountId,
        clientId: null,
        uid: null,
        userCode: null,
        createdAt: iat,
        expiresAt: refreshTokenExpiresAt,
        consumedAt: null,
        receipt: null,
      },
    };
  };
}
