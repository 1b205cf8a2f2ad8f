import { type Mutant, noticedBy } from '../mutant.ts';

const code = noticedBy('oauth/code-grant.test.ts');
const refresh = noticedBy('oauth/refresh-grant.test.ts');
const credentials = noticedBy('oauth/client-credentials-grant.test.ts');
const introspection = noticedBy('oauth/introspection.test.ts');
const revocation = noticedBy('oauth/revocation.test.ts');
const pkce = noticedBy('oauth/pkce.test.ts');
const resources = noticedBy('oauth/resources.test.ts');
const request = noticedBy('oauth/authorization-request.test.ts');
const cors = noticedBy('oauth/cors.test.ts');
const policies = noticedBy('oauth/policies.test.ts');

/** What the token endpoint gives, and what becomes of it. */
export const GRANTS: readonly Mutant[] = [
  code(
    'a used code ends the grant for anybody who has it',
    'payload.clientId === client.id &&',
    'payload.clientId !== undefined &&',
  ),
  code(
    'a used code ends nothing',
    "if (grantId !== null) await tokens.removeByGrant(grantId, codec.keyOf('Grant', grantId));",
    '',
    { beside: 'code.reused' },
  ),
  refresh(
    'a refresh token that is used again ends nothing',
    "if (grantId !== null) await tokens.removeByGrant(grantId, codec.keyOf('Grant', grantId));",
    '',
    { beside: 'refresh_token.reused' },
  ),
  code(
    'whoever has a used code but not its verifier ends the grant',
    '(challenge === undefined || constantTimeEqual(sha256(verifier), String(challenge)))',
    '(challenge === undefined || verifier !== "another")',
  ),
  pkce('PKCE is optional', 'client.require_pkce !== false }', 'client.require_pkce === true && false }'),
  pkce(
    'a challenge of any length is accepted',
    'if (challenge !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(String(challenge))) {',
    'if (challenge !== undefined && !/^[A-Za-z0-9_-]{0,999}$/.test(String(challenge))) {',
  ),
  refresh(
    'a refresh token works for another client',
    "if (record.clientId !== client.id) throw refused('the refresh token belongs to another client');",
    '',
  ),
  refresh(
    'a used refresh token is answered again for ever',
    'if (consumedAt === null || receipt === null || !isWithin(consumedAt, graceSeconds * 1000, clock.nowMs())) {',
    'if (consumedAt === null || receipt === null) {',
    { beside: 'refresh_token.reused' },
  ),
  refresh(
    'a receipt opens for another scope or resource',
    "context: JSON.stringify(['refresh-receipt', id, client.id, scopes, resources])",
    "context: JSON.stringify(['refresh-receipt', id, client.id])",
  ),
  refresh(
    'a refresh in the grace period is answered after the account was disabled',
    "if (!grant || !account || account.disabledAt !== null) throw refused('the grant or account ended');",
    "if (!grant || !account) throw refused('the grant or account ended');",
  ),
  refresh(
    'a refresh in the grace period is answered after the grant was revoked',
    "if (!grant || !account || account.disabledAt !== null) throw refused('the grant or account ended');",
    "if (!account || account.disabledAt !== null) throw refused('the grant or account ended');",
  ),
  refresh(
    'a refresh gives scopes that the client has lost since',
    'if (granted.every((scope) => client.scopes.includes(scope))) return {};',
    'if (granted.length > 0) return {};',
  ),
  refresh(
    'a refresh in the grace period tells whether its owner has used it',
    'if (missing.length > 0) {',
    'if (missing.length > 99) {',
  ),
  credentials(
    'a client gets whatever scope it asks for',
    'const scopes = asked ? given.filter((scope) => asked.includes(scope)) : given;',
    'const scopes = asked ?? given;',
  ),
  credentials(
    'a client gets tokens for a resource server that it was not given',
    'const resource = client.resources.includes(identifier) ? await find(identifier) : null;',
    'const resource = await find(identifier);',
  ),
  resources(
    'a user gives a client tokens for a resource server that the client was not given',
    'const resource = own.resources.includes(identifier) ? await findResource(identifier) : null;',
    'const resource = await findResource(identifier);',
  ),
  resources(
    'a client gets scopes of a resource server that it was not given',
    'return resource.scopes.map((scope) => scope.name).filter((name) => own.has(name));',
    'return resource.scopes.map((scope) => scope.name).filter((name) => own.has(name) || name);',
  ),
  credentials(
    'a client may use a grant type that it did not register',
    'if (!client.grantTypes.includes(grantType)) {',
    'if (!grantType) {',
  ),
  introspection(
    'every client may introspect every token',
    'if (!token || token.used || (token.clientId !== caller.id && audience?.clientId !== caller.id)) {',
    'if (!token || token.used) {',
  ),
  introspection(
    'a rotated refresh token is shown as active',
    'if (!token || token.used || (token.clientId',
    'if (!token || (token.clientId',
  ),
  introspection(
    'a public client may introspect',
    'if (isPublicClient(caller)) {',
    'if (isPublicClient(caller) && caller.id === "") {',
  ),
  introspection(
    'an expired token is live',
    'if (!token || token.expiresAt <= clock.nowSeconds()) return null;',
    'if (!token) return null;',
  ),
  introspection(
    'the token of a deleted client belongs to the next one of its id',
    'return client && (token.issuedAt ?? 0) >= Math.floor(client.createdAt / 1000) ? token : null;',
    'return client ? token : null;',
  ),
  introspection(
    'an opaque token outlives its grant',
    'return grant !== null && live(grant) && (sessions === null || sessions.some(isOfSignIn));',
    'return sessions === null || sessions.some(isOfSignIn);',
  ),
  introspection(
    'a token outlives the session that it was bound to',
    'return grant !== null && live(grant) && (sessions === null || sessions.some(isOfSignIn));',
    'return grant !== null && live(grant);',
  ),
  revocation(
    'a client may revoke the tokens of another',
    'if (token && token.clientId === client.id) {',
    'if (token) {',
  ),
  revocation(
    'a revoked JWT stays active',
    "if (found.some((record) => record.kind === 'RevokedToken')) return null;",
    '',
  ),
  revocation(
    'a JWT outlives its grant',
    "if (grantKey !== null && !found.some((record) => record.kind === 'Grant')) return null;",
    '',
  ),
  request(
    'single claims are a way round the scopes of a client',
    'if (scope !== undefined && !given.has(scope)) {',
    'if (scope !== undefined && given.size === 0) {',
  ),
  cors(
    'every origin may read the answers of the token endpoint',
    'if (allowedOrigins.includes(origin)) {',
    'if (allowedOrigins.length >= 0) {',
  ),
  policies('several authorizations of a browser have one grant', 'grant.jti = newSecret();', "grant.jti = 'the-one';"),
  policies(
    'what was allowed to another client is taken',
    'return allowed && allowed.accountId === accountId && allowed.clientId === clientId ? allowed : null;',
    'return allowed && allowed.accountId === accountId ? allowed : null;',
  ),
];
