import { boot } from '../src/boot.ts';
import { digestSecret } from '../src/domain/clients/client-secrets.ts';
import type { NewClient } from '../src/domain/clients/manage-clients.ts';
import { newId, newSecret } from '../src/kit/ids.ts';
import { createLog } from '../src/kit/log.ts';
import type { Services } from '../src/services.ts';
import { CALLBACK, type Credentials, type Fixture, JWT_API, OPAQUE_API, PASSWORD, SCOPES } from './fixtures.ts';
import { type Databases, gatehouseEnv } from './servers.ts';

/** Runs some work on the services of a Gatehouse over these databases, without a web server. */
export async function withServices<T>(databases: Databases, work: (services: Services) => Promise<T>): Promise<T> {
  // Not production: that would not create the tables.
  const env = { ...gatehouseEnv(databases), NODE_ENV: 'test' };
  await using services = await boot(env, { log: createLog({ level: 'warn' }) });
  return await work(services);
}

const BLANK = {
  applicationType: 'web',
  authMethod: 'client_secret_basic',
  redirectUris: [],
  postLogoutRedirectUris: [],
  allowedOrigins: [],
  requirePkce: true,
  jwks: [],
  certificateThumbprints: [],
  tokenBinding: null,
  ownerId: null,
} as const;

/** Creates the tables, the clients and the resource servers. */
export const prepare = (databases: Databases): Promise<Fixture> =>
  withServices(databases, async ({ manageClients, manageResources }) => {
    async function resource(identifier: string, accessTokenFormat: 'jwt' | 'opaque'): Promise<string> {
      const { secret } = await manageResources.create({
        identifier,
        name: `The ${accessTokenFormat} API`,
        scopes: SCOPES.map((name) => ({ name, description: `May ${name}` })),
        accessTokenFormat,
        accessTokenLifetimeSeconds: 900,
        clientId: `bench-${accessTokenFormat}-api`,
      });
      return secret ?? '';
    }
    async function client(input: Pick<NewClient, 'id' | 'grantTypes' | 'resources' | 'scopes'> & Partial<NewClient>) {
      const { secret } = await manageClients.create({ ...BLANK, name: 'A client of the benchmark', ...input });
      return { id: input.id, secret: secret ?? '' };
    }
    const apiSecret = await resource(OPAQUE_API, 'opaque');
    await resource(JWT_API, 'jwt');
    return {
      api: { id: 'bench-opaque-api', secret: apiSecret },
      machine: await client({
        id: 'bench-machine',
        grantTypes: ['client_credentials'],
        scopes: SCOPES,
        resources: [OPAQUE_API, JWT_API],
      }),
      web: await client({
        id: 'bench-web',
        grantTypes: ['authorization_code', 'refresh_token'],
        scopes: ['openid', 'offline_access', ...SCOPES],
        redirectUris: [CALLBACK],
        resources: [JWT_API],
      }),
    };
  });

/** Accounts that have not signed in yet, as email addresses; their password is PASSWORD. */
export const createAccounts = (databases: Databases, count: number): Promise<string[]> =>
  withServices(databases, async ({ stores, passwords, clock }) => {
    const [passwordHash, nowMs] = [await passwords.hash(PASSWORD), clock.nowMs()];
    const emails = Array.from({ length: count }, () => `${newId('user').toLowerCase()}@bench.example`);
    for (const email of emails) {
      await stores.accounts.insert({
        id: newId('acc'),
        email,
        emailVerified: true,
        passwordHash,
        givenName: null,
        familyName: null,
        scopes: null,
        disabledAt: null,
        signedOutAt: null,
        createdAt: nowMs,
        updatedAt: nowMs,
      });
    }
    return emails;
  });

/** Clients with the client credentials grant that nobody has asked about yet. */
export const createClients = (databases: Databases, count: number): Promise<Credentials[]> =>
  withServices(databases, async ({ stores, digester, clock }) => {
    const nowMs = clock.nowMs();
    const clients = Array.from({ length: count }, () => ({ id: newId('cold'), secret: newSecret() }));
    for (const { id, secret } of clients) {
      await stores.clients.insert({
        ...BLANK,
        id,
        name: 'A client of the benchmark',
        grantTypes: ['client_credentials'],
        scopes: SCOPES,
        resources: [JWT_API],
        secrets: [{ digest: digestSecret(digester, id, secret), createdAt: nowMs, expiresAt: null }],
        createdAt: nowMs,
        updatedAt: nowMs,
      });
    }
    return clients;
  });
