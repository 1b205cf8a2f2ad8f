import { type Mutant, noticedBy } from '../mutant.ts';

const refresh = noticedBy('login/refresh.test.ts');
const login = noticedBy('login/login.test.ts');
const sessions = noticedBy('api/login-sessions.test.ts');
const cookies = noticedBy('api/cookie-mode.test.ts');
const signUp = noticedBy('login/sign-up.test.ts');
const account = noticedBy('accounts/account.test.ts');

/** Sign-in by JSON: sessions, their refresh tokens and cookies. */
export const LOGIN: readonly Mutant[] = [
  refresh(
    'a used refresh token of a sign-in is answered again for ever',
    'if (consumedAt === null || receipt === null || !isWithin(consumedAt, graceSeconds * 1000, clock.nowMs())) {',
    'if (consumedAt === null || receipt === null) {',
    { beside: 'login.refresh_token_reused' },
  ),
  refresh('a refresh token works after sign-out', "if (!session) throw refused('the session ended');", ''),
  refresh(
    'a refresh token works after the account was disabled or its password changed',
    "if (!account || !signInCounts(account, grant.signedInAt)) throw refused('the account is disabled or signed out');",
    "if (!account) throw refused('the account is disabled or signed out');",
  ),
  refresh(
    'an idle session can be refreshed',
    "if (record.expiresAt !== null && record.expiresAt <= clock.nowSeconds()) throw refused('the session was idle');",
    '',
  ),
  refresh(
    'a refresh that overtakes a sign-out leaves a token behind',
    'if (await sessions.find(grant.sessionId)) return { ...open, ...issued };',
    'if (grant.sessionId) return { ...open, ...issued };',
  ),
  refresh(
    'a refresh gives scopes that the account has lost',
    'const scopes = grant.scopes.filter((scope) => held.includes(scope));',
    'const scopes = held.length >= 0 ? grant.scopes : [];',
  ),
  refresh(
    'a refresh prolongs the session for ever',
    'const refreshTokenExpiresAt = Math.min(iat + lifetimes.sessionIdle, grant.sessionExpiresAt);',
    'const refreshTokenExpiresAt = iat + lifetimes.sessionIdle;',
  ),
  login(
    'an access token outlives its session',
    'const accessTokenExpiresAt = Math.min(iat + lifetimes.accessToken, grant.sessionExpiresAt);',
    'const accessTokenExpiresAt = iat + lifetimes.accessToken;',
  ),
  sessions(
    'anybody may end the session of another account',
    'return session?.accountId === accountId && sessions.end(session, origin);',
    'return session != null && sessions.end(session, origin);',
  ),
  sessions(
    'the access token of an ended session is live',
    "if (!account || !lives || !signInCounts(account, signedInAt)) return { refused: 'ended', method: 'login' };",
    "if (!account || !signInCounts(account, signedInAt)) return { refused: 'ended', method: 'login' };",
  ),
  cookies(
    'a page of another site uses the cookies of its visitors',
    'if (!SAFE_METHODS.has(method) && !isFromOurPages(ctx, origin))',
    'if (!SAFE_METHODS.has(method) && origin === "")',
  ),
  cookies(
    'a page of a sibling site counts as our own, with cookies',
    "if (site !== '') return site === 'same-origin' || site === 'none';",
    "if (site !== '') return site !== 'cross-site';",
  ),
  cookies(
    'the cookie of the login holds any token',
    "if (kind === 'login' && principal.method !== 'login') return refused('malformed', principal.method);",
    '',
  ),
  signUp('sign-up is open although it is closed', "if (!signUpOpen) throw new AppError('sign_up_closed');", ''),
  account(
    'a sign-in in the second of the password change counts',
    'return signedOutAt !== null && beganAt <= Math.floor(signedOutAt / 1000);',
    'return signedOutAt !== null && beganAt < Math.floor(signedOutAt / 1000);',
  ),
  account(
    'a sign-in of a disabled account counts',
    'return account.disabledAt === null && !wasSignedOutSince(account, signedInAt);',
    'return !wasSignedOutSince(account, signedInAt);',
  ),
];
