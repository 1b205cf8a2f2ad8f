import { z } from 'zod';

/**
 * Everything the JSON API can do: what goes in, what comes out, who may. One list behind every dialect; the OpenAPI document is
 * made from it, in which a schema with an `id` has that name. Times are RFC 3339 in UTC.
 */

/**
 * Who may: anyone, anyone (and known when a good credential came along), any user credential, one that may manage the account, the
 * same but not an app's token, a sign-in by the user, or a trusted resource server.
 */
export type Access = 'anyone' | 'known' | 'user' | 'manage' | 'manage-keys' | 'sign-in' | 'resource-server';

export interface Operation {
  summary: string;
  description?: string;
  tag: 'Authentication' | 'Verification' | 'API keys' | 'Provider keys' | 'Usage' | 'Clients';
  access: Access;
  input: z.ZodObject;
  output: z.ZodType;
  status: number;
  /** On top of the limits of the credential: by account, or by address where there is none. */
  limit?: { quota: number; windowSeconds: number };
  /** It only takes rights away, so no limit of the credential refuses it. */
  unlimited?: boolean;
  /** May be repeated safely under an Idempotency-Key. */
  idempotent?: boolean;
}

const time = z.iso.datetime({ offset: true });
const text = (max: number) => z.string().min(1).max(max);
const id = text(128);
/** Its own rules measure it once it is normalized: a spelling may be four times as long. */
const password = text(4096);
// RFC 6749 appendix A.4, so that they can stand in a challenge.
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/);
const scopes = z.array(scope).max(64);
const addresses = z.array(text(64)).max(50).describe('Addresses or CIDR ranges it may be used from; empty allows all.');
const limit = z.strictObject({
  quota: z.int().min(1).max(1_000_000_000),
  window_seconds: z.int().min(1).max(86_400),
});
const environments = z
  .union([text(64), z.array(text(64)).min(1).max(16)])
  .optional()
  .describe('The environments it may be of: one, several, or `*` for any. Default: the usual one (`live`).');
const nothing = z.strictObject({});
const nameless = z.strictObject({ id });

const Account = z
  .object({
    id,
    email: z.string(),
    email_verified: z.boolean(),
    given_name: z.string().nullable(),
    family_name: z.string().nullable(),
    created_at: time,
  })
  .meta({ id: 'Account' });

const Tokens = z
  .object({
    account: Account,
    session_id: id,
    scopes,
    expires_at: time.describe('When the access token ends.'),
    token_type: z.literal('Bearer').optional(),
    access_token: z.string().optional().describe('Absent in cookie mode.'),
    expires_in: z.int().optional().describe('Seconds.'),
    refresh_token: z.string().optional(),
    refresh_expires_at: time.optional(),
    device_token: z
      .string()
      .optional()
      .describe('Of a sign-in in token mode: send it with the next one. Also in the header Gatehouse-Device.'),
  })
  .meta({ id: 'Tokens' });

const Session = z
  .object({
    id,
    current: z.boolean(),
    signed_in_at: time,
    expires_at: time,
    ip: z.string(),
    user_agent: z.string(),
  })
  .meta({ id: 'Session' });

const ApiKey = z
  .object({
    id,
    name: z.string(),
    environment: z.string(),
    prefix: z.string(),
    last_four: z.string(),
    scopes,
    allowed_addresses: addresses,
    namespace: z.string().describe('Where the resource server keeps the data of this key.'),
    limit: limit.nullable(),
    state: z.enum(['active', 'expired', 'revoked', 'suspended']),
    created_by: z.string().describe('What made it: the id of a key of yours, your account in person, or `operator`.'),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    rotated_at: time.nullable(),
    rotated_by: z
      .string()
      .nullable()
      .describe(
        'What made the secret by the last rotation, as in `created_by`. Null without one, and for rotations of older versions.',
      ),
    last_used_at: time.nullable(),
    previous_secret: z
      .object({ ends_at: time, uses: z.int(), last_used_at: time.nullable() })
      .nullable()
      .describe('The secret before the last rotation, while it still works.'),
  })
  .meta({ id: 'ApiKey' });
const ApiKeyWithSecret = ApiKey.extend({ key: z.string().describe('The full key. Shown this once.') }).meta({
  id: 'ApiKeyWithSecret',
});

const ProviderKey = z
  .object({
    id,
    provider: z.string(),
    label: z.string(),
    mask: z.string(),
    fingerprint: z.string(),
    is_default: z.boolean(),
    state: z.enum(['usable', 'needs-re-entry']),
    checked: z.boolean().optional().describe('Whether the provider accepted it when it was saved.'),
    created_at: time,
    updated_at: time,
    last_used_at: time.nullable(),
  })
  .meta({ id: 'ProviderKey' });

const Provider = z.object({ name: z.string(), title: z.string() }).meta({ id: 'Provider' });

const Client = z
  .object({
    client_id: id,
    name: z.string(),
    token_endpoint_auth_method: z.string(),
    token_binding: z.enum(['dpop', 'mtls']).nullable(),
    scopes,
    created_at: time,
  })
  .meta({ id: 'Client' });

const Principal = z
  .object({
    active: z.literal(true),
    method: z.enum(['api_key', 'access_token', 'login', 'session']),
    subject: id,
    subject_type: z.enum(['user', 'client']),
    client_id: id.nullable(),
    key_id: id.nullable(),
    namespace: z.string().nullable(),
    environment: z.string().nullable(),
    scopes,
    audience: z.string().nullable(),
    issued_at: time.nullable(),
    expires_at: time.nullable(),
  })
  .meta({ id: 'Principal' });

const page = { limit: z.coerce.number().int().min(1).max(200).default(50), cursor: text(512).optional() };
const listed = <T extends z.ZodType>(item: T) =>
  z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().describe('For the next page; null on the last.'),
  });

export const OPERATIONS = {
  signUp: {
    summary: 'Create an account',
    tag: 'Authentication',
    access: 'anyone',
    input: z.strictObject({
      email: text(320),
      password,
      given_name: text(120).optional(),
      family_name: text(120).optional(),
    }),
    output: Account.extend({ api_key: ApiKeyWithSecret.optional() }).meta({ id: 'NewAccount' }),
    status: 201,
  },
  login: {
    summary: 'Sign in',
    description:
      'Answers a short-lived access token and a single-use refresh token. With `mode: "cookies"` both are set as HttpOnly cookies instead.',
    tag: 'Authentication',
    access: 'anyone',
    input: z.strictObject({
      email: text(320),
      password,
      mode: z.enum(['tokens', 'cookies']).default('tokens'),
      device_token: text(512)
        .optional()
        .describe(
          'The device token of an earlier sign-in to this account, or a refresh token of it, used or not: nobody who guesses elsewhere can make this client wait. Or send it in the header Gatehouse-Device.',
        ),
    }),
    output: Tokens,
    status: 200,
  },
  refresh: {
    summary: 'Get new tokens',
    description:
      'A refresh token works once; a retry within seconds gets the same answer. In cookie mode send no body.',
    tag: 'Authentication',
    access: 'anyone',
    input: z.strictObject({ refresh_token: text(128).optional() }),
    output: Tokens,
    status: 200,
  },
  logout: {
    summary: 'Sign out',
    description:
      'Ends the session of the access token, cookie or refresh token that is sent. A credential that has none (an API key, the token of an app) is an error: it works on.',
    tag: 'Authentication',
    access: 'known',
    unlimited: true,
    input: z.strictObject({ refresh_token: text(128).optional() }),
    output: z.null(),
    status: 204,
  },
  me: {
    summary: 'The account of the credential',
    tag: 'Authentication',
    access: 'user',
    input: nothing,
    output: Account.extend({
      email: z.string().nullable().describe('Null for the token of an app: it asks for that by OpenID Connect.'),
      scopes,
    }).meta({ id: 'AccountWithScopes' }),
    status: 200,
  },
  changePassword: {
    summary: 'Change the password',
    description: 'Signs the account out everywhere, here too.',
    tag: 'Authentication',
    access: 'sign-in',
    unlimited: true,
    input: z.strictObject({ current_password: password, new_password: password }),
    output: z.null(),
    status: 204,
  },
  listSessions: {
    summary: 'List sign-ins',
    tag: 'Authentication',
    access: 'sign-in',
    unlimited: true,
    input: nothing,
    output: z.object({
      data: z.array(Session),
    }),
    status: 200,
  },
  endSession: {
    summary: 'End a sign-in',
    tag: 'Authentication',
    access: 'sign-in',
    unlimited: true,
    input: nameless,
    output: z.null(),
    status: 204,
  },
  verify: {
    summary: 'Who is this, and may they?',
    description:
      'Takes a credential in the headers or in `credential`. 200 says who it is; 401, 403 and 429 are what to answer the caller. A request that shows a credential in a header and asks nothing else is answered whatever its environment; every other one for the usual environment unless `environment` says so.',
    tag: 'Verification',
    access: 'anyone',
    input: z.strictObject({
      credential: text(8192).optional(),
      required_scopes: scopes.optional(),
      audience: z
        .union([text(512), z.array(text(512)).min(1).max(16)])
        .optional()
        .describe('Any of them.'),
      environment: environments,
      ip: z
        .union([z.ipv4(), z.ipv6()])
        .optional()
        .describe(
          'The address it came from, for keys with allowed addresses. Believed from a resource server that authenticates (its client by Basic, or in X-Gateway-Authorization) and from a trusted proxy, else left aside. Default: yours.',
        ),
      method: text(16)
        .optional()
        .describe(
          'The method of the request that is judged, for DPoP proofs. Believed as `ip` is. Default: that of your request.',
        ),
      url: text(2048)
        .optional()
        .describe('Its URL, for DPoP proofs. Believed as `ip` is. Default: that of your request.'),
      certificate_thumbprint: z
        .string()
        .regex(/^[A-Za-z0-9_-]{43}$/)
        .optional()
        .describe(
          'SHA-256 (base64url) of the certificate its sender showed to you, for certificate-bound tokens. Believed as `ip` is. Default: of yours.',
        ),
    }),
    output: Principal,
    status: 200,
  },
  listApiKeys: {
    summary: 'List API keys',
    tag: 'API keys',
    access: 'manage',
    input: z.strictObject({ ...page, environment: text(64).optional() }),
    output: listed(ApiKey),
    status: 200,
  },
  createApiKey: {
    summary: 'Create an API key',
    tag: 'API keys',
    access: 'manage-keys',
    limit: { quota: 60, windowSeconds: 60 },
    idempotent: true,
    input: z.strictObject({
      name: text(120),
      environment: text(64).optional(),
      scopes: scopes.optional(),
      expires_in_days: z.int().min(1).max(3650).optional(),
      expires_at: time.optional(),
      allowed_addresses: addresses.optional(),
      namespace: text(64).optional().describe('That of another key of yours, to share its data.'),
      limit: limit.optional(),
    }),
    output: ApiKeyWithSecret,
    status: 201,
  },
  getApiKey: {
    summary: 'Show an API key',
    tag: 'API keys',
    access: 'manage',
    input: nameless,
    output: ApiKey,
    status: 200,
  },
  updateApiKey: {
    summary: 'Rename an API key, or change where it may be used',
    tag: 'API keys',
    access: 'manage',
    input: z.strictObject({
      id,
      name: text(120).optional(),
      allowed_addresses: addresses.optional(),
      limit: limit.nullable().optional(),
    }),
    output: ApiKey,
    status: 200,
  },
  rotateApiKey: {
    summary: 'Replace the secret of an API key',
    description:
      'The id stays. The secret before works until the overlap ends; its callers are told by a response header. While one runs, only `overlap_seconds: 0` is taken, which ends both.',
    tag: 'API keys',
    access: 'manage-keys',
    idempotent: true,
    limit: { quota: 60, windowSeconds: 60 },
    input: z.strictObject({ id, overlap_seconds: z.int().min(0).max(604_800).default(86_400) }),
    output: ApiKeyWithSecret,
    status: 200,
  },
  resumeApiKey: {
    summary: 'End the suspension of an API key',
    tag: 'API keys',
    access: 'sign-in',
    input: nameless,
    output: ApiKey,
    status: 200,
  },
  revokeApiKey: {
    summary: 'Revoke an API key',
    description: 'With `descendants=true` what it made ends too, and what that made, also when the key ended before.',
    tag: 'API keys',
    access: 'manage',
    unlimited: true,
    input: z.strictObject({
      id,
      descendants: z.enum(['true', 'false']).optional().describe('Whether the keys that it made end with it.'),
    }),
    output: ApiKey.extend({
      revoked_descendants: z.array(id).optional().describe('Those that ended with it, when that was asked for.'),
    }).meta({ id: 'RevokedApiKey' }),
    status: 200,
  },
  reportLeak: {
    summary: 'Report a leaked API key',
    description:
      'The finder of a key sends all of it, which proves the find. It is revoked or suspended, with the keys that it made, and the audit trail has who told. `unknown`: no live key.',
    tag: 'API keys',
    access: 'anyone',
    limit: { quota: 30, windowSeconds: 60 },
    input: z.strictObject({ key: text(512), source: text(120).optional(), url: text(2048).optional() }),
    output: z.object({ outcome: z.enum(['revoked', 'suspended', 'unknown']) }),
    status: 200,
  },
  listProviders: {
    summary: 'Providers whose keys can be stored',
    tag: 'Provider keys',
    access: 'anyone',
    input: nothing,
    output: z.object({ data: z.array(Provider) }),
    status: 200,
  },
  listProviderKeys: {
    summary: 'List provider keys',
    tag: 'Provider keys',
    access: 'manage',
    input: nothing,
    output: z.object({ data: z.array(ProviderKey) }),
    status: 200,
  },
  addProviderKey: {
    summary: 'Store a provider key',
    description: 'It can be used, replaced and deleted, never read back.',
    tag: 'Provider keys',
    access: 'manage-keys',
    // The provider may be asked whether the key is good: nobody shall try out keys here.
    limit: { quota: 30, windowSeconds: 60 },
    idempotent: true,
    input: z.strictObject({
      provider: text(32),
      value: text(4096),
      label: text(120).optional(),
      make_default: z.boolean().optional(),
    }),
    output: ProviderKey,
    status: 201,
  },
  getProviderKey: {
    summary: 'Show a provider key',
    tag: 'Provider keys',
    access: 'manage',
    input: nameless,
    output: ProviderKey,
    status: 200,
  },
  updateProviderKey: {
    summary: 'Replace the value or the label of a provider key',
    tag: 'Provider keys',
    access: 'manage-keys',
    limit: { quota: 30, windowSeconds: 60 },
    input: z.strictObject({ id, value: text(4096).optional(), label: text(120).optional() }),
    output: ProviderKey,
    status: 200,
  },
  makeDefaultProviderKey: {
    summary: 'Make a provider key the one that serves',
    tag: 'Provider keys',
    access: 'manage',
    input: nameless,
    output: ProviderKey,
    status: 200,
  },
  removeProviderKey: {
    summary: 'Delete a provider key',
    tag: 'Provider keys',
    access: 'manage',
    unlimited: true,
    input: nameless,
    output: z.null(),
    status: 204,
  },
  resolveProviderKey: {
    summary: 'Use a provider key for a user',
    description:
      'For a resource server with the scope `provider-keys:use`, authenticated by its own access token or client secret. The user is known by the `credential` they sent; a key that came along is passed through and wins.',
    tag: 'Provider keys',
    access: 'resource-server',
    input: z.strictObject({
      credential: text(8192),
      environment: environments,
      provider: text(32),
      key_id: id.optional(),
      provider_key: text(4096).optional().describe('The provider key that came with the request.'),
    }),
    output: z
      .object({
        provider: z.string(),
        source: z.enum(['stored', 'passed-through']),
        key_id: id.nullable(),
        fingerprint: z.string(),
        header: z.string().describe('The header the provider expects.'),
        value: z.string().describe('The value of that header.'),
      })
      .meta({ id: 'UsedProviderKey' }),
    status: 200,
  },
  usage: {
    summary: 'Usage of your API keys',
    tag: 'Usage',
    access: 'manage',
    input: z.strictObject({
      from: time.optional().describe('Default: 30 days ago.'),
      to: time.optional().describe('Default: now.'),
      interval: z.enum(['hour', 'day']).default('day'),
      key_id: id.optional(),
      environment: text(64).optional(),
    }),
    output: z.object({
      from: time,
      to: time,
      totals: z.object({ allowed: z.int(), refused: z.int(), billable: z.int(), free: z.int() }),
      series: z.array(z.object({ start: time, allowed: z.int(), refused: z.int(), billable: z.int(), free: z.int() })),
      keys: z.array(
        z.object({
          key_id: id,
          environment: z.string(),
          allowed: z.int(),
          refused: z.int(),
          last_used_at: time.nullable(),
        }),
      ),
    }),
    status: 200,
  },
  listClients: {
    summary: 'List your clients',
    description: 'Clients that get tokens for themselves by client credentials.',
    tag: 'Clients',
    access: 'sign-in',
    input: nothing,
    output: z.object({ data: z.array(Client) }),
    status: 200,
  },
  createClient: {
    summary: 'Create a client',
    tag: 'Clients',
    access: 'sign-in',
    limit: { quota: 60, windowSeconds: 60 },
    input: z.strictObject({
      name: text(120),
      scopes: scopes.optional(),
      token_endpoint_auth_method: z
        .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt'])
        .default('client_secret_basic'),
      jwks: z
        .strictObject({
          keys: z
            .array(z.record(z.string(), z.union([z.string().max(4096), z.array(z.string().max(4096)).max(16)])))
            .max(5),
        })
        .optional(),
      token_binding: z.enum(['dpop', 'mtls']).optional(),
    }),
    output: Client.extend({ client_secret: z.string().nullable().describe('Shown this once.') }),
    status: 201,
  },
  rotateClientSecret: {
    summary: 'Replace the secret of a client',
    tag: 'Clients',
    access: 'sign-in',
    input: z.strictObject({ id, overlap_seconds: z.int().min(0).max(7_776_000).default(86_400) }),
    output: Client.extend({ client_secret: z.string() }),
    status: 200,
  },
  removeClient: {
    summary: 'Delete a client',
    tag: 'Clients',
    access: 'sign-in',
    unlimited: true,
    input: nameless,
    output: z.null(),
    status: 204,
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
export type Input<Name extends OperationName> = z.output<(typeof OPERATIONS)[Name]['input']>;
export type Output<Name extends OperationName> = z.input<(typeof OPERATIONS)[Name]['output']>;
