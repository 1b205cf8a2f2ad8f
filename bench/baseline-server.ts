/**
 * What the numbers are compared with: the OAuth engine alone, as its documentation sets it up, with its in-memory storage
 * and static clients. It gives the same kinds of tokens for the same requests; it has no database, log or metrics.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClientMetadata, Provider } from 'oidc-provider';
import { type Credentials, type Fixture, ISSUER, JWT_API, SCOPES } from './fixtures.ts';

const { machine, api } = JSON.parse(process.env.BENCH_FIXTURE ?? '') as Fixture;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const client = ({ id, secret }: Credentials, grants: string[]): ClientMetadata => ({
  client_id: id,
  client_secret: secret,
  grant_types: grants,
  redirect_uris: [],
  response_types: [],
});

const provider = new Provider(ISSUER, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] as never },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  clients: [client(machine, ['client_credentials']), client(api, [])],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: SCOPES.join(' '),
        audience: resource,
        accessTokenTTL: 900,
        ...(resource === JWT_API
          ? { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
          : { accessTokenFormat: 'opaque' }),
      }),
    },
  },
});

const server = createServer(provider.callback());
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`));
process.once('SIGTERM', () => process.exit(0));
