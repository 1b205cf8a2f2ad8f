import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { normalizeEmail } from '../src/domain/accounts/account.ts';
import type { Client, PublicJwk } from '../src/domain/clients/client.ts';
import { digestSecret, secretMatches } from '../src/domain/clients/client-secrets.ts';
import { USE_PROVIDER_KEYS } from '../src/domain/scopes/scope.ts';
import { generateClientKey } from '../src/domain/signing-keys/client-key.ts';
import { AppError } from '../src/kit/errors.ts';
import type { Services } from '../src/services.ts';

const API = 'https://api.example.com';
const API_CLIENT = 'demo-api';
const CALLBACK = 'http://127.0.0.1:8080/callback';
const AFTER_LOGOUT = 'http://127.0.0.1:8080/';
const OPENID = ['openid', 'profile', 'email', 'offline_access'];

type DemoClient = Partial<Client> & Pick<Client, 'id' | 'name' | 'authMethod' | 'grantTypes'> & { secret?: string };

const CLIENTS: readonly DemoClient[] = [
  {
    id: 'demo-web',
    name: 'Demo web application',
    authMethod: 'client_secret_basic',
    secret: 'demo-web-secret',
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: [CALLBACK],
    postLogoutRedirectUris: [AFTER_LOGOUT],
    scopes: [...OPENID, 'read', 'write'],
  },
  {
    id: 'demo-spa',
    name: 'Demo browser application',
    authMethod: 'none',
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: [CALLBACK],
    postLogoutRedirectUris: [AFTER_LOGOUT],
    scopes: [...OPENID, 'read', 'write'],
    allowedOrigins: ['http://127.0.0.1:8080'],
  },
  {
    id: 'demo-native',
    name: 'Demo native application',
    applicationType: 'native',
    authMethod: 'none',
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
    postLogoutRedirectUris: ['http://127.0.0.1/'],
    scopes: [...OPENID, 'read', 'write'],
  },
  {
    id: 'demo-machine',
    name: 'Demo machine',
    authMethod: 'client_secret_basic',
    secret: 'demo-machine-secret',
    grantTypes: ['client_credentials'],
    scopes: ['read', 'write'],
  },
  {
    id: 'demo-jwt',
    name: 'Demo machine with a key',
    authMethod: 'private_key_jwt',
    grantTypes: ['client_credentials'],
    scopes: ['read', 'write'],
  },
  {
    id: 'demo-api',
    name: 'Demo API',
    authMethod: 'client_secret_basic',
    secret: 'demo-api-secret',
    grantTypes: [],
  },
  {
    id: 'demo-gateway',
    name: 'Demo gateway',
    authMethod: 'client_secret_basic',
    secret: 'demo-gateway-secret',
    grantTypes: ['client_credentials'],
    scopes: [USE_PROVIDER_KEYS],
  },
];

/** The account, with the password that is published. */
const ADA = {
  email: 'ada@example.com',
  password: 'correct horse battery staple',
  givenName: 'Ada',
  familyName: 'Lovelace',
};

export interface DemoFound {
  /** What it is: a client's id or an account's address. */
  what: string;
  /** The command that takes it away. */
  mend: string;
}

/**
 * What there is of the demonstration data that lets somebody in. It is told by the fact: a client with a published secret counts
 * as long as that secret works, the account as long as its published password does. With a secret of their own they are the
 * operator's. A client that has no secret counts as long as it is there.
 */
export async function findDemo({
  stores: { clients, accounts },
  digester,
  passwords,
  clock,
}: Pick<Services, 'digester' | 'clock'> & {
  stores: Pick<Services['stores'], 'clients' | 'accounts'>;
  passwords: Pick<Services['passwords'], 'verify'>;
}): Promise<DemoFound[]> {
  const found: DemoFound[] = [];
  for (const { id, secret } of CLIENTS) {
    const client = await clients.find(id);
    if (client === null) continue;
    if (secret !== undefined && !secretMatches(digester, client, secret, clock.nowMs())) continue;
    found.push({
      what: id,
      mend: id === API_CLIENT ? `gatehouse resource delete ${API}` : `gatehouse client delete ${id}`,
    });
  }
  const ada = await accounts.findByEmail(normalizeEmail(ADA.email) ?? ADA.email);
  if (ada?.passwordHash && ada.disabledAt === null && (await passwords.verify(ada.passwordHash, ADA.password))) {
    found.push({ what: ADA.email, mend: `gatehouse user disable ${ADA.email}` });
  }
  return found;
}

/**
 * The demonstration data, always the same. Safe to run again and beside a running server; refused where strangers may
 * come, because its passwords are published.
 */
export async function loadDemo(services: Services): Promise<void> {
  const { config, stores, digester, clock, manageAccounts } = services;
  if (config.exposed)
    throw new AppError('invalid_request', { public: `demonstration data is refused here: ${config.exposed}` });
  const nowMs = clock.nowMs();

  async function ensureClient({ secret, ...given }: DemoClient): Promise<void> {
    const client: Client = {
      applicationType: 'web',
      redirectUris: [],
      postLogoutRedirectUris: [],
      scopes: [],
      resources: given.scopes?.includes('read') ? [API] : [],
      allowedOrigins: [],
      requirePkce: true,
      jwks: [],
      certificateThumbprints: [],
      tokenBinding: null,
      ownerId: null,
      secrets:
        secret === undefined
          ? []
          : [{ digest: digestSecret(digester, given.id, secret), createdAt: nowMs, expiresAt: null }],
      createdAt: nowMs,
      updatedAt: nowMs,
      ...given,
    };
    await stores.clients.insert(client);
  }

  const jwk = await demoKey(join(config.dataDirectory, 'demo-jwt.jwk.json'));
  for (const client of CLIENTS) {
    await ensureClient({
      ...client,
      ...(client.id === 'demo-jwt' ? { jwks: [jwk] } : {}),
      ...(client.id === 'demo-gateway' ? { resources: [config.issuer, API] } : {}),
    });
  }
  await stores.resources.insert({
    identifier: API,
    name: 'Demo API',
    scopes: [
      { name: 'read', description: 'Read your data' },
      { name: 'write', description: 'Create and change your data' },
      { name: 'admin', description: 'Manage everything, settings and members included' },
    ],
    accessTokenFormat: 'jwt',
    accessTokenLifetimeSeconds: config.lifetimes.accessToken,
    clientId: API_CLIENT,
    createdAt: nowMs,
  });

  // Its key file may be newer than the database, after a copy of either.
  const known = await stores.clients.find('demo-jwt');
  if (known && known.jwks[0]?.kid !== jwk.kid) await services.manageClients.update('demo-jwt', { jwks: [jwk] });

  const isThere = () => stores.accounts.findByEmail(normalizeEmail(ADA.email) ?? ADA.email);
  if (!(await isThere())) {
    await manageAccounts
      .create({ ...ADA, emailVerified: true })
      // Another process may have been a moment faster.
      .catch(async (error: unknown) => {
        if (!(await isThere())) throw error;
      });
  }
}

/** The public key of demo-jwt; its private key stays in a file that only the owner can read. */
async function demoKey(file: string): Promise<PublicJwk> {
  if (!existsSync(file)) {
    const { privateJwk } = await generateClientKey();
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${JSON.stringify(privateJwk, null, 2)}\n`, { mode: 0o600 });
  }
  const { d: _, ...publicJwk } = JSON.parse(readFileSync(file, 'utf8')) as PublicJwk & { d?: string };
  return publicJwk;
}
