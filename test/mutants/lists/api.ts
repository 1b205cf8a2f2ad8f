import { type Mutant, noticedBy } from '../mutant.ts';

const verify = noticedBy('api/verify.test.ts');
const rights = noticedBy('api/api-key-rights.test.ts');
const rotation = noticedBy('api/api-key-rotation.test.ts');
const keys = noticedBy('api/api-keys.test.ts');
const forward = noticedBy('api/forward-auth.test.ts');
const resolve = noticedBy('api/resolve-provider-key.test.ts');
const proxies = noticedBy('http/proxies.test.ts');
const idempotency = noticedBy('api/idempotency.test.ts');
const imported = noticedBy('api/imported-keys.test.ts');
const clients = noticedBy('api/clients.test.ts');
const envelope = noticedBy('provider-keys/envelope.test.ts');
const addresses = noticedBy('api-keys/addresses.test.ts');
const kitAddresses = noticedBy('kit/addresses.test.ts');
const format = noticedBy('api-keys/key-format.test.ts');
const apiKey = noticedBy('api-keys/api-key.test.ts');
const answerAgain = noticedBy('api/answer-again.test.ts');
const issueKey = noticedBy('api-keys/issue-key.test.ts');
const authority = noticedBy('api-keys/authority.test.ts');
const reportLeak = noticedBy('api-keys/report-leak.test.ts');
const environments = noticedBy('api/environments.test.ts');
const withoutCredentials = noticedBy('audit/without-credentials.test.ts');
const changeKey = noticedBy('api-keys/change-key.test.ts');

/** API keys, the vault, verification and forward-auth. */
export const API: readonly Mutant[] = [
  verify(
    'a credential without the scope passes',
    'return wanted.find((scope) => !held.has(scope));',
    'return wanted.find((scope) => !held.has(scope) && scope === "");',
  ),
  verify(
    'a test key passes for a live one',
    'if (environments && !environments.includes(principal.environment ?? usualEnvironment)) {',
    'if (environments && environments.length === 0) {',
  ),
  apiKey(
    'an expired key is live',
    "return key.expiresAt !== null && key.expiresAt <= nowMs ? 'expired' : 'active';",
    "return 'active';",
  ),
  rights(
    'the key of a disabled owner is live',
    "if (owner.disabledAt !== null) return refused('owner-disabled', entry.value);",
    '',
  ),
  verify(
    'a key is good from every address',
    "if (!isAllowedAddress(ip, key.allowedAddresses)) return refused('address-not-allowed', entry.value);",
    '',
  ),
  answerAgain(
    'answers about bound keys are remembered by those who ask',
    'if (confirmation !== null || addressBound) return 0;',
    'if (confirmation !== null) return 0;',
  ),
  verify(
    'two different credentials in one request: the first one counts',
    'if (found.some(({ text }) => text !== credential?.text)) {',
    'if (found.some(({ text }) => text === "")) {',
  ),
  rotation(
    'the secret before a rotation works for ever',
    'if (previous && digests.matches(text, previous) && overlaps(previous.endsAt, clock.nowMs())) {',
    'if (previous && digests.matches(text, previous)) {',
  ),
  issueKey(
    'a key may be given scopes that its owner does not have',
    'return (name) => forUsers.has(name) && owned.has(name) && (handed === null || handed.has(name));',
    'return (name) => forUsers.has(name) && (handed === null || handed.has(name));',
  ),
  rights(
    'a key may be given scopes that its maker does not have',
    'return (name) => forUsers.has(name) && owned.has(name) && (handed === null || handed.has(name));',
    'return (name) => forUsers.has(name) && owned.has(name);',
  ),
  rights(
    'a key of one environment sees those of another',
    '(actor.environment === null || actor.environment === found.key.environment));',
    'true);',
  ),
  keys(
    'anybody sees the keys of another account',
    '(found?.key.ownerId === actor.ownerId &&',
    '(found?.key.ownerId !== undefined &&',
  ),
  idempotency(
    'the answer of a repeated creation is told for other content',
    "if (!constantTimeEqual(first.fingerprint, fingerprint)) throw new AppError('idempotency_mismatch');",
    '',
  ),
  idempotency(
    'the answer of a repeated creation is told to another caller',
    'const identity = JSON.stringify([caller, operation, idempotencyKey]);',
    'const identity = JSON.stringify([operation, idempotencyKey]);',
  ),
  imported(
    'the imported form of a rotated key works for ever',
    'if (importedEndsAt !== null && !overlaps(importedEndsAt, clock.nowMs()))',
    'if (importedEndsAt !== null && importedEndsAt < 0)',
  ),
  forward(
    'the requirements may stand in the query and in the header',
    "if (required !== '') throw invalid('state the requirements in the query or in X-Gatehouse-Require, not in both');",
    '',
  ),
  forward('a stranger may ask in the way of Envoy', "if (!byProxy) throw new AppError('not_found');", ''),
  forward(
    'a stranger may say what the original request was',
    'original: byProxy ? originalByHeaders(ctx, forNginx) : asItCame(ctx),',
    'original: originalByHeaders(ctx, forNginx),',
  ),
  forward(
    'a token for another API opens this one',
    "...(audiences.includes('*') ? {} : { audiences: audiences.length > 0 ? audiences : [ownAudience] }),",
    '...(audiences.length === 0 ? {} : { audiences }),',
  ),
  forward('an upstream believes identity headers of the caller', 'setIdentity(ctx, null);', ''),
  resolve(
    'every client gets the provider keys of users',
    'if (!scopes.includes(USE_PROVIDER_KEYS)) {',
    'if (scopes.length < 0) {',
  ),
  resolve(
    'a token for another API opens the vault',
    "if (resource?.clientId === client.id || client.resources.includes(principal.audience ?? '')) return;",
    'if (client.id) return;',
  ),
  resolve(
    'a resource server authenticates by a bound token as if it were a bearer token',
    "token?.use === 'access_token' && token.subject === token.clientId && token.confirmation === null;",
    "token?.use === 'access_token' && token.subject === token.clientId;",
  ),
  resolve(
    "a resource server authenticates by a user's token",
    "token?.use === 'access_token' && token.subject === token.clientId && token.confirmation === null;",
    "token?.use === 'access_token' && token.confirmation === null;",
  ),
  resolve(
    'a resource server authenticates by a token for another audience',
    'const client = token && isItsOwn && token.audience === audience ? await findClient(token.clientId) : null;',
    'const client = token && isItsOwn ? await findClient(token.clientId) : null;',
  ),
  resolve(
    'a credential of ours is passed through as a provider key',
    'if (isOurs(providerKey)) {',
    'if (providerKey === "") {',
  ),
  envelope(
    'a provider key opens in the row of another owner',
    '`v1|${ownerId}|${id}|${provider}|${version}`;',
    '`v1|${id}|${provider}|${version}`;',
  ),
  envelope(
    'an old version of a provider key opens',
    '`v1|${ownerId}|${id}|${provider}|${version}`;',
    '`v1|${ownerId}|${id}|${provider}`;',
  ),
  kitAddresses(
    'a range with an unreadable length is every address',
    'if (length !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(length)) return null;',
    '',
  ),
  addresses(
    'a key with unreadable ranges is good from everywhere',
    'if (ranges.length === 0) return true;',
    'if (ranges.every((range) => !parseRange(range))) return true;',
  ),
  format('a made-up key costs a look into the database', 'return key && isTagged(key) ? key : null;', 'return key;'),
  format(
    'a key is read with a wrong checksum',
    'if (checksum(text.slice(0, -CHECKSUM_LENGTH)) !== text.slice(-CHECKSUM_LENGTH)) return null;',
    '',
  ),
  proxies(
    'a stranger names the address that it comes from',
    'const ip = byProxy ? clientBehindProxies(forwardedFor, isTrustedProxy) : null;',
    'const ip = forwardedFor ? clientBehindProxies(forwardedFor, isTrustedProxy) : null;',
  ),
  proxies(
    'the first address of X-Forwarded-For counts',
    'if (comma === -1 || address === null || !isTrustedProxy(address)) return address;',
    'if (comma === -1) return address;',
  ),
  clients(
    'the client of a disabled owner lives',
    'if (!owner || owner.disabledAt !== null) return null;',
    'if (!owner) return null;',
  ),
  clients(
    'a client keeps scopes that its owner has lost',
    'return { ...client, scopes: stillHeld(client.scopes, owner.scopes, catalogue) };',
    'return client;',
  ),
  authority(
    'a child key without expiry outlives its maker',
    'own === null || (target !== null && target <= own),',
    'own === null || target === null || target <= own,',
  ),
  authority(
    'a bounded key makes one without a limit',
    'own === null || (target !== null && isWithinLimit(target, own)),',
    'own === null || target === null || isWithinLimit(target, own),',
  ),
  authority(
    'a key makes one that may do more at once at the same rate',
    'target.quota <= own.quota && target.quota * own.windowSeconds <= own.quota * target.windowSeconds;',
    'target.quota * own.windowSeconds <= own.quota * target.windowSeconds;',
  ),
  authority(
    'a key makes one of the same quota at a higher rate',
    'target.quota <= own.quota && target.quota * own.windowSeconds <= own.quota * target.windowSeconds;',
    'target.quota <= own.quota;',
  ),
  authority('a key that is bound to an address makes one that is not', 'if (inner.length === 0) return false;', ''),
  authority(
    'a key of one environment gets the secret of one of another',
    "if (actor.environment !== null && target.environment !== actor.environment) beyond.push('environment');",
    '',
  ),
  changeKey(
    'a key gets the secret of one with more scopes',
    'requireNoScopesBeyond(keyScopes.beyond(target.scopes, owner, actor));',
    '',
  ),
  authority('an app hands on keys', 'if (actor.isApp) {', "if (actor.isApp && target.id === '') {"),
  authority(
    'a key that has ended since it was let in still acts',
    "(!ownKey || stateOf(ownKey, clock.nowMs()) !== 'active');",
    '!ownKey;',
  ),
  authority(
    'a key may be widened beyond the one that acts',
    'export const widens = (after: Bounds, before: Bounds): boolean => boundsBeyond(after, before).length > 0;',
    'export const widens = (after: Bounds, before: Bounds): boolean => boundsBeyond(after, before).length > 99;',
  ),
  reportLeak('what a key made that a leaked key made lives on', 'open.push(id);', ''),
  environments(
    'who names no environment takes test keys',
    'return environments.includes(ANY_ENVIRONMENT) ? {} : { environments };',
    'return asked === usualEnvironment ? {} : { environments };',
  ),
  environments(
    'a test key changes provider keys',
    'if (actor.environment === null) return actor;',
    "if (actor.id !== '') return actor;",
  ),
  environments(
    'a test key resolves provider keys',
    'const { principal } = await guard(credential, environmentsOf(wanted.environment), {',
    'const { principal } = await guard(credential, {}, {',
  ),
  verify('anybody says from which address a key was used', 'if (isResourceServer(proof)) return true;', 'return true;'),
  withoutCredentials(
    'the audit trail keeps what stands in the query of a URL',
    'if (parsed) return masked(`${parsed.protocol}//${parsed.host}${decoded(parsed.pathname)}`);',
    'if (parsed) return masked(`${parsed.protocol}//${parsed.host}${decoded(parsed.pathname)}${parsed.search}`);',
  ),
  withoutCredentials(
    'the audit trail keeps credentials that are percent-encoded',
    'if (parsed) return masked(`${parsed.protocol}//${parsed.host}${decoded(parsed.pathname)}`);',
    'if (parsed) return masked(`${parsed.protocol}//${parsed.host}${parsed.pathname}`);',
  ),
  withoutCredentials(
    'the audit trail keeps client secrets',
    '.replace(LONG_RUN, (run) => (HARMLESS_RUN.test(run) ? run : MASK))',
    '',
  ),
  withoutCredentials('the audit trail keeps what looks like a key of ours', '.replace(ours, MASK)', ''),
];
