/** Clients, resource servers, accounts and the requests clients make. */
import { createHash, randomBytes } from 'node:crypto';
import { type CryptoKey, importJWK, type JWK, SignJWT } from 'jose';
import type { Account } from '../../src/domain/accounts/account.ts';
import type { NewAccount } from '../../src/domain/accounts/manage-accounts.ts';
import type { Client, ClientAuthMethod } from '../../src/domain/clients/client.ts';
import type { NewClient } from '../../src/domain/clients/manage-clients.ts';
import type { ResourceServer } from '../../src/domain/resources/resource-server.ts';
import { generateClientKey } from '../../src/domain/signing-keys/client-key.ts';
import { ADA, Browser, type Page } from './browser.ts';
import { type Fields, formBody, type Harness, type Reply } from './harness.ts';

export const API = 'https://api.example.com';
export const CALLBACK = 'http://127.0.0.1:8080/callback';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A client as its developer knows it. */
export interface TestClient {
  id: string;
  method: ClientAuthMethod;
  secret?: string;
  privateJwk?: JWK;
}

export const DEMO = {
  web: { id: 'demo-web', method: 'client_secret_basic', secret: 'demo-web-secret' },
  spa: { id: 'demo-spa', method: 'none' },
  native: { id: 'demo-native', method: 'none' },
  machine: { id: 'demo-machine', method: 'client_secret_basic', secret: 'demo-machine-secret' },
  gateway: { id: 'demo-gateway', method: 'client_secret_basic', secret: 'demo-gateway-secret' },
  api: { id: 'demo-api', method: 'client_secret_basic', secret: 'demo-api-secret' },
} as const satisfies Record<string, TestClient>;

let counter = 0;
const next = (): number => {
  counter += 1;
  return counter;
};

/** A web client that may do everything its kind can do, unless told otherwise. */
export async function createClient(
  harness: Harness,
  given: Partial<NewClient> = {},
): Promise<TestClient & { client: Client }> {
  const id = given.id ?? `client-${next()}`;
  const authMethod = given.authMethod ?? 'client_secret_basic';
  const grantTypes = given.grantTypes ?? ['authorization_code', 'refresh_token'];
  const codeFlow = grantTypes.includes('authorization_code');
  const keys = authMethod === 'private_key_jwt' && given.jwks === undefined ? await generateClientKey() : null;
  const { client, secret } = await harness.services.manageClients.create({
    id,
    name: `Client ${id}`,
    applicationType: 'web',
    authMethod,
    grantTypes,
    redirectUris: codeFlow ? [CALLBACK] : [],
    postLogoutRedirectUris: [],
    scopes: ['openid', 'profile', 'email', 'offline_access', 'read', 'write'],
    resources: [API],
    allowedOrigins: [],
    requirePkce: true,
    jwks: keys ? [keys.publicJwk as never] : [],
    certificateThumbprints: [],
    tokenBinding: null,
    ownerId: null,
    ...given,
  });
  harness.keepSecret(secret);
  return {
    id,
    method: authMethod,
    client,
    ...(secret === null ? {} : { secret }),
    ...(keys ? { privateJwk: keys.privateJwk } : {}),
  };
}

/** A resource server with the scopes `read`, `write` and `admin`, and the client under which it introspects. */
export async function createResource(
  harness: Harness,
  given: Partial<Omit<ResourceServer, 'createdAt'>> = {},
): Promise<{ identifier: string; api: TestClient }> {
  const number = next();
  const clientId = given.clientId ?? `api-${number}`;
  const { resource, secret } = await harness.services.manageResources.create({
    identifier: `https://api-${number}.example.com/v1`,
    name: `API ${number}`,
    scopes: ['read', 'write', 'admin'].map((name) => ({ name, description: `To ${name} things` })),
    accessTokenFormat: 'opaque',
    accessTokenLifetimeSeconds: 900,
    clientId,
    ...given,
  });
  harness.keepSecret(secret);
  return {
    identifier: resource.identifier,
    api: { id: clientId, method: 'client_secret_basic', secret: secret ?? '' },
  };
}

export async function createAccount(
  harness: Harness,
  given: Partial<NewAccount> = {},
): Promise<{ account: Account; email: string; password: string }> {
  const email = given.email ?? `user-${next()}@example.com`;
  const password = given.password ?? `a long enough password ${next()}`;
  harness.keepSecret(password);
  const account = await harness.services.manageAccounts.create({ email, password, ...given });
  return { account, email, password };
}

export const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`;

/** RFC 6749 appendix B. */
const formEncode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);

export interface AssertionChange {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  key?: CryptoKey | Uint8Array;
}

/** A client assertion (RFC 7523); a claim set to undefined is left out. */
export async function assertion(
  harness: Harness,
  { id, privateJwk }: TestClient,
  { claims = {}, header = {}, key }: AssertionChange = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const jwt = new SignJWT({
    iss: id,
    sub: id,
    aud: harness.issuer,
    iat: now,
    exp: now + 60,
    jti: randomBytes(12).toString('hex'),
    ...claims,
  }).setProtectedHeader({ alg: 'ES256', ...(privateJwk?.kid ? { kid: privateJwk.kid } : {}), ...header });
  return jwt.sign(key ?? ((await importJWK(privateJwk ?? {}, 'ES256')) as CryptoKey));
}

/** How the client proves itself, by its registered method. */
export async function credentials(
  harness: Harness,
  client: TestClient,
): Promise<{ headers: Record<string, string>; fields: Fields }> {
  switch (client.method) {
    case 'client_secret_basic':
      return { headers: { authorization: basic(client.id, client.secret ?? '') }, fields: {} };
    case 'client_secret_post':
      return { headers: {}, fields: { client_id: client.id, client_secret: client.secret } };
    case 'private_key_jwt':
      return {
        headers: {},
        fields: { client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion(harness, client) },
      };
    // The certificate comes with the connection.
    case 'self_signed_tls_client_auth':
    case 'none':
      return { headers: {}, fields: { client_id: client.id } };
  }
}

/** A form post by an authenticated client. */
export async function postAs(
  harness: Harness,
  client: TestClient,
  path: string,
  fields: Fields,
  headers = {},
): Promise<Reply> {
  const proof = await credentials(harness, client);
  return harness.post(path, { ...proof.fields, ...fields }, { ...proof.headers, ...headers });
}

export const token = (harness: Harness, client: TestClient, fields: Fields, headers = {}): Promise<Reply> =>
  postAs(harness, client, harness.config.paths.token, fields, headers);

export const introspect = (harness: Harness, client: TestClient, value: string, fields: Fields = {}): Promise<Reply> =>
  postAs(harness, client, harness.config.paths.introspect, { token: value, ...fields });

export const revoke = (harness: Harness, client: TestClient, value: string, fields: Fields = {}): Promise<Reply> =>
  postAs(harness, client, harness.config.paths.revoke, { token: value, ...fields });

export const userinfo = (harness: Harness, accessToken: string): Promise<Reply> =>
  harness.get(harness.config.paths.userinfo, { authorization: `Bearer ${accessToken}` });

export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

export interface AuthorizationRequest {
  url: string;
  verifier: string;
  redirectUri: string;
  parameters: Fields;
}

/** An authorization request as a correct client makes it; a parameter set to undefined is left out. */
export function authorization(harness: Harness, client: { id: string }, changes: Fields = {}): AuthorizationRequest {
  const verifier = randomBytes(32).toString('base64url');
  const parameters: Fields = {
    client_id: client.id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    state: randomBytes(6).toString('hex'),
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
    ...changes,
  };
  const { redirect_uri: redirectUri } = parameters;
  return {
    url: `${harness.url(harness.config.paths.authorize)}?${formBody(parameters)}`,
    verifier,
    redirectUri: typeof redirectUri === 'string' ? redirectUri : CALLBACK,
    parameters,
  };
}

export interface Authorized {
  request: AuthorizationRequest;
  page: Page;
  code: string;
  browser: Browser;
}

/** Who signs in, in which browser, and changes of the request's parameters. */
export interface FlowOptions {
  who?: { email: string; password: string };
  browser?: Browser;
  [parameter: string]: Fields[string] | Browser | { email: string; password: string };
}

/** Signs in and consents as needed; fails when no code came back. */
export async function authorize(
  harness: Harness,
  client: { id: string },
  { who = ADA, browser = new Browser(harness), ...changes }: FlowOptions = {},
): Promise<Authorized> {
  const request = authorization(harness, client, changes as Fields);
  const page = await browser.complete(request.url, who);
  const code = page.answer.get('code');
  if (!code) throw new Error(`no code: ${page.answer}`);
  return { request, page, code, browser };
}

export const redeem = (
  harness: Harness,
  client: TestClient,
  { request, code }: Authorized,
  changes: Fields = {},
): Promise<Reply> =>
  token(harness, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: request.redirectUri,
    code_verifier: request.verifier,
    ...changes,
  });

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token: string;
  scope: string;
  token_type: string;
  expires_in: number;
}

/** The whole code flow. */
export async function obtainTokens(
  harness: Harness,
  client: TestClient,
  options: FlowOptions = {},
): Promise<Tokens & { browser: Browser }> {
  const authorized = await authorize(harness, client, { scope: 'openid offline_access', ...options });
  const reply = await redeem(harness, client, authorized);
  if (reply.status !== 200) throw new Error(`no tokens: ${reply.status} ${reply.text}`);
  return { ...(reply.json() as Tokens), browser: authorized.browser };
}

export const refresh = (
  harness: Harness,
  client: TestClient,
  value: string,
  fields: Fields = {},
  headers = {},
): Promise<Reply> => token(harness, client, { grant_type: 'refresh_token', refresh_token: value, ...fields }, headers);

/** The claims of a JWT, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
export const claimsOf = (jwt: string): any => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
