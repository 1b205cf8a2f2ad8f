import { type Mutant, noticedBy } from '../mutant.ts';

const crossSite = noticedBy('interactions/cross-site.test.ts');
const session = noticedBy('interactions/session.test.ts');
const throttle = noticedBy('limits/throttle.test.ts');
const redirect = noticedBy('oauth/redirect-uri.test.ts');
const consents = noticedBy('consents/consent.test.ts');
const interaction = noticedBy('interactions/interaction.test.ts');
const attacks = noticedBy('oauth/attacks.test.ts');
const policies = noticedBy('oauth/policies.test.ts');
const signOut = noticedBy('oauth/sign-out.test.ts');
const findCredential = noticedBy('oauth/find-credential.test.ts');
const openAuthorizations = noticedBy('oauth/open-authorizations.test.ts');

/** The browser flow: sign-in, consent, redirects. */
export const PAGES: readonly Mutant[] = [
  crossSite(
    'a form of another site is accepted',
    "if (foreign || token === undefined || !digester.matches('csrf', subject, token))",
    "if (token === undefined || !digester.matches('csrf', subject, token))",
  ),
  crossSite(
    'a form needs no token',
    "if (foreign || token === undefined || !digester.matches('csrf', subject, token))",
    'if (foreign)',
  ),
  crossSite(
    'a page of a sibling site counts as our own',
    "(site !== '' && site !== 'same-origin' && site !== 'none');",
    "site === 'cross-site';",
  ),
  crossSite(
    'the token of one interaction opens another',
    "token: (subject) => digester.digest('csrf', subject),",
    "token: () => digester.digest('csrf', ''),",
  ),
  crossSite(
    'the interaction of another path is answered',
    "if (interaction.uid !== uid) throw new AppError('session_not_found');",
    '',
  ),
  crossSite(
    'somebody signs in where consent was asked for',
    "if (step.interaction.prompt.name !== 'login') throw new AppError('session_not_found');",
    '',
  ),
  crossSite(
    'consent can be given where a sign-in was asked for',
    "if (interaction.prompt.name !== 'consent' || !accountId) throw new AppError('session_not_found');",
    "if (!accountId) throw new AppError('session_not_found');",
  ),
  interaction(
    'a step follows the session of another account',
    'if (!kept || kept.uid === session.uid || kept.accountId !== session.accountId) return;',
    'if (!kept || kept.uid === session.uid) return;',
  ),
  session(
    'a session never ends while it is used',
    'if (token === undefined && signedInAt !== undefined && sessionEnds <= clock.nowSeconds()) return undefined;',
    '',
  ),
  attacks(
    'a sign-in from before a password change counts',
    'if (!account || !signInCounts(account, signedInAt ?? Number.POSITIVE_INFINITY)) return undefined;',
    'if (!account) return undefined;',
  ),
  policies(
    'the grant of another account is taken',
    'return allowed && allowed.accountId === accountId && allowed.clientId === clientId ? allowed : null;',
    'return allowed && allowed.clientId === clientId ? allowed : null;',
  ),
  throttle(
    'guesses never have to wait',
    'return beyond <= 0 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(beyond - 1, 30));',
    'return 0 * Math.min(maxDelayMs, firstDelayMs * beyond);',
  ),
  throttle(
    'a refused attempt prolongs the wait',
    'if (waits.every((wait) => wait === 0)) for (const counter of counters) count(counter, nowMs);',
    'for (const counter of counters) count(counter, nowMs);',
  ),
  redirect(
    'a client need not have registered the redirect URI',
    'allowOmittingSingleRegisteredRedirectUri: false,',
    'allowOmittingSingleRegisteredRedirectUri: true,',
  ),
  consents(
    'a later consent takes back an earlier one',
    'return { ...now, scopes: union(before.scopes, now.scopes), claims: union(before.claims, now.claims), resources };',
    'return { ...now, claims: union(before.claims, now.claims), resources };',
  ),
  signOut(
    'a hint from before a client was made anew is believed',
    'return Number(payload.iat) >= Math.floor(client.createdAt / 1000);',
    'return Number(payload.iat) > 0;',
  ),
  findCredential(
    'a session that is used at the API never ends',
    'const expiresAt = Math.min(record.expiresAt ?? Number.MAX_SAFE_INTEGER, loginTs + absoluteSeconds);',
    'const expiresAt = record.expiresAt ?? loginTs + absoluteSeconds;',
  ),
  openAuthorizations(
    'one address fills the store with authorizations',
    'if ((byAddress.get(addressGroup) ?? 0) >= part(mostByAddress)) {',
    'if ((byAddress.get(addressGroup) ?? 0) >= part(mostByAddress) * 1e6) {',
  ),
  openAuthorizations(
    'strangers fill the store with authorizations',
    'const madeRoom = open.size >= part(most) ? makeRoom(addressGroup) : null;',
    'const madeRoom = null;',
  ),
];
