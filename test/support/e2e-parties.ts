/** The clients, resource servers and users of a world, made through the server's own services. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Client, ClientAuthMethod } from '../../src/domain/clients/client.ts';
import type { NewClient } from '../../src/domain/clients/manage-clients.ts';
import type { Services } from '../../src/services.ts';
import type { ClientCredentials } from './client-flows.ts';

export const JWT_API = 'https://jwt.api.example';
export const OPAQUE_API = 'https://opaque.api.example';
export const CALLBACK = 'http://127.0.0.1:9/callback';

export interface Party extends ClientCredentials {
  method: ClientAuthMethod;
  /** For private_key_jwt. */
  privateKey?: CryptoKey;
  privateJwk?: JWK;
}

export interface Parties {
  basic: Party;
  post: Party;
  jwt: Party;
  public: Party;
  /** Get opaque access tokens: for OPAQUE_API, and with a secret. */
  opaque: Party;
  /** The resource servers' credentials for introspection. */
  jwtApi: ClientCredentials;
  opaqueApi: ClientCredentials;
}

export async function createClient(services: Services, input: Partial<NewClient> & { id: string }): Promise<Party> {
  const method = input.authMethod ?? 'client_secret_basic';
  const key = method === 'private_key_jwt' ? await generateKeyPair('ES256', { extractable: true }) : null;
  const grants: Client['grantTypes'] = ['authorization_code', 'refresh_token'];
  const { secret } = await services.manageClients.create({
    name: `Client ${input.id}`,
    applicationType: 'web',
    authMethod: method,
    grantTypes: method === 'none' ? grants : [...grants, 'client_credentials'],
    redirectUris: [CALLBACK],
    postLogoutRedirectUris: ['http://127.0.0.1:9/'],
    scopes: ['openid', 'profile', 'email', 'offline_access', 'read', 'write'],
    resources: [JWT_API],
    allowedOrigins: [],
    requirePkce: true,
    jwks: key ? [{ ...((await exportJWK(key.publicKey)) as JWK & { kty: string }), kid: 'first', alg: 'ES256' }] : [],
    certificateThumbprints: [],
    tokenBinding: null,
    ownerId: null,
    ...input,
  });
  return {
    id: input.id,
    method,
    ...(secret === null ? {} : { secret }),
    ...(key ? { privateKey: key.privateKey, privateJwk: await exportJWK(key.privateKey) } : {}),
  };
}

export async function createParties(services: Services): Promise<Parties> {
  async function createApi(identifier: string, format: 'jwt' | 'opaque', clientId: string): Promise<ClientCredentials> {
    const { secret } = await services.manageResources.create({
      identifier,
      name: `The ${format} API`,
      scopes: [
        { name: 'read', description: 'Read your data' },
        { name: 'write', description: 'Change your data' },
      ],
      accessTokenFormat: format,
      accessTokenLifetimeSeconds: 900,
      clientId,
    });
    return { id: clientId, ...(secret === null ? {} : { secret }) };
  }
  const jwtApi = await createApi(JWT_API, 'jwt', 'jwt-api');
  const opaqueApi = await createApi(OPAQUE_API, 'opaque', 'opaque-api');
  return {
    basic: await createClient(services, { id: 'e2e-basic' }),
    post: await createClient(services, { id: 'e2e-post', authMethod: 'client_secret_post' }),
    jwt: await createClient(services, { id: 'e2e-jwt', authMethod: 'private_key_jwt' }),
    public: await createClient(services, { id: 'e2e-public', authMethod: 'none' }),
    opaque: await createClient(services, { id: 'e2e-opaque', resources: [OPAQUE_API] }),
    jwtApi,
    opaqueApi,
  };
}

export async function createUser(services: Services, email: string, password: string): Promise<string> {
  const { id } = await services.manageAccounts.create({ email, password, emailVerified: true, givenName: 'Grace' });
  return id;
}
