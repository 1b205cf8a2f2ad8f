import type { Dialect } from './dialect.ts';
import type { JsonSchema } from './openapi-types.ts';
import type { OperationName } from './operations.ts';

/** What the documentation shows: requests under our names of members, answers made from their schemas. */
export interface Examples {
  /** The members of a request, those of its path too. */
  request(operation: OperationName): Record<string, unknown>;
  /** A value that fits the schema. */
  of(schema: JsonSchema, components: Readonly<Record<string, JsonSchema>>): unknown;
}

const KEY_ID = 'key_Zb3hX9pQ1rT7vNdK';
const CLIENT_ID = 'cli_2RkTm9HcJwLz7NpQ4sVxYb';
const SESSION_ID = 'ses_4TqYw8ZkVb2NxJ6RmC9LhP';
const ACCOUNT_ID = 'acc_7NpQ2sVxYb4RkTm9HcJwLz';
const PROVIDER_KEY_ID = 'pvk_8WcRz3VmKq6TnYb1XpJhLd';
const PROVIDER_KEY = 'sk-proj-example-tRk0';
const NOW = '2026-03-01T09:30:00Z';

const IDS: Readonly<Record<string, string>> = {
  Account: ACCOUNT_ID,
  NewAccount: ACCOUNT_ID,
  AccountWithScopes: ACCOUNT_ID,
  ApiKey: KEY_ID,
  ApiKeyWithSecret: KEY_ID,
  ProviderKey: PROVIDER_KEY_ID,
};

/** By the name of a member, or of a schema and its member. */
const MEMBERS: Readonly<Record<string, unknown>> = {
  id: SESSION_ID,
  session_id: SESSION_ID,
  client_id: CLIENT_ID,
  key_id: KEY_ID,
  'UsedProviderKey.key_id': PROVIDER_KEY_ID,
  subject: ACCOUNT_ID,
  namespace: 'ns_6TnYb1XpJhLd8WcRz3VmKq',
  email: 'ada@example.com',
  email_verified: true,
  given_name: 'Ada',
  family_name: 'Lovelace',
  name: 'Production server',
  'Client.name': 'Nightly import',
  'Provider.name': 'openai',
  title: 'OpenAI',
  created_at: NOW,
  updated_at: NOW,
  issued_at: NOW,
  signed_in_at: NOW,
  last_used_at: '2026-03-01T10:12:44Z',
  'ApiKeyWithSecret.last_used_at': null,
  expires_at: '2026-05-30T09:30:00Z',
  'Session.expires_at': '2026-03-31T09:30:00Z',
  'Tokens.expires_at': '2026-03-01T09:45:00Z',
  refresh_expires_at: '2026-03-31T09:30:00Z',
  access_token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.example.signature',
  expires_in: 900,
  refresh_token: 'example-refresh-token',
  last_four: 'Jd8W',
  allowed_addresses: [],
  revoked_at: null,
  rotated_at: null,
  rotated_by: null,
  previous_secret: null,
  limit: null,
  audience: null,
  'Principal.client_id': null,
  provider: 'openai',
  label: 'Team',
  mask: 'sk-proj-…tRk0',
  fingerprint: 'q3Zk9TnYb1XpJhLd',
  header: 'Authorization',
  value: `Bearer ${PROVIDER_KEY}`,
  client_secret: 'example-client-secret',
  token_endpoint_auth_method: 'client_secret_basic',
  ip: '192.0.2.17',
  user_agent: 'Mozilla/5.0',
  from: '2026-02-28T00:00:00Z',
  to: '2026-03-02T00:00:00Z',
  start: '2026-03-01T00:00:00Z',
  allowed: 1240,
  refused: 3,
  billable: 1180,
  free: 60,
  next_cursor: null,
};

/** Keys of examples are too short to pass for real ones, so that no scanner finds a leak in the documentation. */
export function createExamples({ keys }: Pick<Dialect, 'keys'>): Examples {
  const [environment = '', { prefix } = { prefix: '' }] = Object.entries(keys.environments)[0] ?? [];
  const key = `${prefix}Zb3hX9pQ1rT7vNdKexampleJd8W`;
  const scopes = [...keys.defaultScopes];
  const members: Readonly<Record<string, unknown>> = { ...MEMBERS, environment, prefix, key, scopes };

  const requests: Partial<Record<OperationName, Record<string, unknown>>> = {
    signUp: { email: 'ada@example.com', password: 'correct horse battery staple' },
    login: { email: 'ada@example.com', password: 'correct horse battery staple' },
    refresh: { refresh_token: 'example-refresh-token' },
    changePassword: { current_password: 'correct horse battery staple', new_password: 'another long pass phrase' },
    verify: { required_scopes: scopes, environment },
    listApiKeys: { limit: 20 },
    createApiKey: { name: 'Production server', scopes, expires_in_days: 90 },
    updateApiKey: { name: 'Production server, Frankfurt', allowed_addresses: ['192.0.2.0/24'] },
    rotateApiKey: { overlap_seconds: 86_400 },
    reportLeak: { key, source: 'a public repository', url: 'https://example.com/commit/1' },
    addProviderKey: { provider: 'openai', value: PROVIDER_KEY, label: 'Team' },
    updateProviderKey: { value: PROVIDER_KEY },
    resolveProviderKey: { credential: key, provider: 'openai' },
    usage: { interval: 'day', environment },
    createClient: { name: 'Nightly import', scopes },
    rotateClientSecret: { overlap_seconds: 86_400 },
  };

  /** A sign-up answers a key where the product makes one. */
  const shown = ({ properties = {} }: JsonSchema): [string, JsonSchema][] =>
    Object.entries(properties).filter(([member]) => member !== 'api_key' || keys.atSignUp !== undefined);

  function of(schema: JsonSchema, components: Readonly<Record<string, JsonSchema>>, name = '', owner = ''): unknown {
    if (schema.$ref) {
      const target = schema.$ref.replace('#/components/schemas/', '');
      return of(components[target] ?? {}, components, name, target);
    }
    if (schema.properties) {
      return Object.fromEntries(
        shown(schema).map(([member, its]) => [
          member,
          member === 'id' && Object.hasOwn(IDS, owner) ? IDS[owner] : of(its, components, member, owner),
        ]),
      );
    }
    for (const known of [`${owner}.${name}`, name]) if (Object.hasOwn(members, known)) return members[known];
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    if (schema.anyOf) return of(schema.anyOf[0] ?? {}, components, name, owner);
    if (schema.type === 'array') return [of(schema.items ?? {}, components, '', owner)];
    const plain: Record<string, unknown> = { string: 'text', integer: 1, number: 1, boolean: true };
    return plain[String([schema.type].flat()[0])] ?? null;
  }

  return { request: (operation) => ({ id: idFor(operation), ...requests[operation] }), of: (...given) => of(...given) };
}

/** What the path of an operation names. */
function idFor(operation: OperationName): string {
  if (operation.endsWith('ProviderKey')) return PROVIDER_KEY_ID;
  if (/Client(Secret)?$/.test(operation)) return CLIENT_ID;
  return operation === 'endSession' ? SESSION_ID : KEY_ID;
}
