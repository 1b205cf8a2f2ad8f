import { type Mutant, noticedBy } from '../mutant.ts';

const refresh = noticedBy('login/refresh.test.ts');
const login = noticedBy('login/login.test.ts');
const sessions = noticedBy('api/login-sessions.test.ts');
const cookies = noticedBy('api/cookie-mode.test.ts');
const signUp = noticedBy('login/sign-up.test.ts');
const account = noticedBy('accounts/account.test.ts');
const signIn = noticedBy('accounts/sign-in.test.ts');
const knownDevice = noticedBy('api/known-device.test.ts');
const fairQueue = noticedBy('accounts/fair-queue.test.ts');
const throttle = noticedBy('limits/throttle.test.ts');

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
  signIn(
    'the device of one account is known to another',
    'accountId === account.id && !wasSignedOutSince(account, knownSince);',
    "accountId !== '' && !wasSignedOutSince(account, knownSince);",
  ),
  signIn(
    'a device is known from before a new password',
    'accountId === account.id && !wasSignedOutSince(account, knownSince);',
    'accountId === account.id;',
  ),
  signIn('a sign-in that succeeds counts like a failure', "await begun.end('succeeded');", ''),
  signIn('a sign-in that no one could answer counts like a failure', "await begun.end('abandoned');", ''),
  signIn(
    'one IPv6 network guesses at an account without an end',
    '...(network === null ? [] : [{ policy: SIGN_IN_BY_ACCOUNT_AND_NETWORK, owner, subject: `${owner}\\0${network}` }]),',
    '',
  ),
  signIn(
    'guesses from everywhere at one account have no end',
    '{ policy: SIGN_IN_TO_ACCOUNT, owner, subject: owner },',
    '',
  ),
  signIn(
    'an attacker at one address makes the owner elsewhere wait',
    '{ policy: SIGN_IN_BY_ACCOUNT_AND_ADDRESS, owner, subject: `${owner}\\0${addressGroup}` },',
    '{ policy: SIGN_IN_BY_ACCOUNT_AND_ADDRESS, owner, subject: owner },',
  ),
  knownDevice(
    'a made-up device token is believed',
    "if (proof === '' || !constantTimeEqual(proof, proofOf(`${deviceId}.${accountId}.${since}`))) return null;",
    "if (proof === '') return null;",
  ),
  fairQueue(
    'one address group fills the queue for hashes',
    'if ((group !== null && queue.length >= share) || !makeRoom(queue.length)) throw refused();',
    'if (!makeRoom(queue.length)) throw refused();',
  ),
  throttle(
    'a success forgives what others failed from the address',
    "if (how === 'forget' && counter.kind === 'growing') kept.delete(counter.id);",
    "if (how === 'forget') kept.delete(counter.id);",
  ),
  throttle(
    'an outage of the store opens the door to guessing',
    '? { ...counter, freeAttempts: Math.floor(counter.freeAttempts / 2) }',
    '? { ...counter, freeAttempts: counter.freeAttempts * 2 }',
  ),
];
