import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { isThisMachine } from '../kit/addresses.ts';
import { readDatabaseAddress } from './database-address.ts';
import type { Env } from './env.ts';
import { duration, durationOrNever, flag, list, path, port } from './fields.ts';
import { lifetimeProblems } from './lifetimes.ts';
import { unknownNames } from './names.ts';
import { plainConnections } from './plain-connections.ts';
import { ConfigError, problemsIn } from './problems.ts';
import { proxyProblems } from './proxies.ts';
import { readRedisAddress } from './redis-address.ts';
import { inWords } from './wording.ts';

/**
 * Every setting, in the order of docs/configuration.md, which is generated from here. Secrets are not settings: see
 * secrets.ts. Names without prefix are the conventional ones.
 */
export const SETTINGS = {
  NODE_ENV: z
    .enum(['development', 'production', 'test'])
    .default('development')
    .describe(
      '`production` refuses to start on anything unsafe and never creates secrets, tables or demonstration data.',
    ),
  ISSUER: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Public base URL of the server, exactly as clients configure it. Default in development: `http://localhost:<PORT>`.',
    ),
  PORT: port.default(3000).describe('Port to listen on.'),
  GATEHOUSE_HOST: z
    .string()
    .min(1)
    .optional()
    .describe('Address to bind. Default: loopback in development, all interfaces in production.'),
  DATABASE_URL: z
    .string()
    .min(1)
    .default('sqlite:data/gatehouse.sqlite')
    .describe('`sqlite:<file>`, `postgres://…` or `mysql://…`.'),
  REDIS_URL: z.string().min(1).optional().describe('`redis://…` or `rediss://…`. Without it SQL holds everything.'),
  GATEHOUSE_REDIS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}:$/, 'letters, digits, dots, hyphens and underscores, and a colon at the end')
    .optional()
    .describe(
      'What keys and channels in Redis begin with. Default: a name made of a key in the database, so that deployments on one Redis stay apart.',
    ),
  GATEHOUSE_DATABASE_POOL: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(10)
    .describe('Connections per process (SQLite always uses one).'),
  WEB_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(1).describe('Worker processes that share the port.'),
  LOG_LEVEL: z
    .enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'])
    .default('info')
    .describe('Lowest level that is logged.'),
  TLS_CERT: z
    .string()
    .min(1)
    .optional()
    .describe('PEM certificate chain file; with `TLS_KEY` the server speaks HTTPS itself.'),
  TLS_KEY: z.string().min(1).optional().describe('PEM private key file.'),
  GATEHOUSE_MAX_HEADER_BYTES: z.coerce
    .number()
    .int()
    .min(8192)
    .max(1_048_576)
    .default(65_536)
    .describe('Request line and headers together may be so large, in bytes; a larger request is refused with 431.'),
  GATEHOUSE_REQUEST_BUDGET: duration('10s', { min: 1, max: 300 }).describe(
    'For so long one request may ask the stores; then it is refused with 503. Each statement has shorter limits of its own.',
  ),
  GATEHOUSE_DATA_DIR: z.string().min(1).default('data').describe('Where development keeps what it generates.'),
  GATEHOUSE_TRUSTED_PROXIES: list.describe(
    'Addresses or CIDR ranges of proxies whose `X-Forwarded-*` headers are believed, comma-separated. Of public addresses, together at most as many as one /8 of IPv4 and one /20 of IPv6.',
  ),
  GATEHOUSE_METRICS_PORT: port
    .optional()
    .describe('Serve `/metrics` on a port of its own, on the address of GATEHOUSE_METRICS_HOST.'),
  GATEHOUSE_METRICS_HOST: z.string().min(1).default('127.0.0.1').describe('Address of the metrics port.'),
  GATEHOUSE_METRICS_PATH: path
    .optional()
    .describe('Serve metrics under this path of the main port. Default in development: `/metrics`.'),
  GATEHOUSE_JOBS: z
    .enum(['inline', 'off'])
    .default('inline')
    .describe('`inline` runs the jobs in the web processes too; `off` leaves them to `worker` processes.'),
  GATEHOUSE_DEMO: flag
    .optional()
    .describe(
      'Load the demonstration data at start. Default: on where nobody else can come. Refused in production, for an https issuer, and on an address that is not loopback.',
    ),
  GATEHOUSE_DIALECT: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'the name of a dialect: a-z, 0-9 and -')
    .optional()
    .describe(
      'The published API this server answers as; see docs/dialects.md. Default: what gatehouse.config.ts says, else `gatehouse`.',
    ),
  GATEHOUSE_CONFIG: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The file that defines a dialect, providers or limits. Default: `gatehouse.config.ts`, where there is one.',
    ),
  GATEHOUSE_SIGN_UP: z
    .enum(['open', 'closed'])
    .optional()
    .describe('Whether strangers may create accounts. Default: `open` in development, `closed` in production.'),
  GATEHOUSE_API_ORIGINS: list.describe(
    "Origins whose pages may call the JSON API with tokens (CORS), comma-separated. Cookies count for the issuer's own origin only.",
  ),
  GATEHOUSE_ALLOW_PLAIN: list.describe(
    'What may pass unencrypted through a network that is trusted, which production refuses otherwise: `stores` (databases and Redis on other machines), `origins` (`http:` in `GATEHOUSE_API_ORIGINS`).',
  ),
  GATEHOUSE_API_KEY_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Live API keys with which an account can make no more. Imports are not refused.'),
  GATEHOUSE_LOGIN_TOKEN_LIFETIME: duration('15m', { min: 60, max: 3600 }).describe(
    'Life of an access token of the JSON login.',
  ),
  GATEHOUSE_API_KEY_LIFETIME: durationOrNever('365d', { min: 86_400 }).describe(
    'Life of an API key that is made without an expiry; `never` makes keys that stay until revoked.',
  ),
  GATEHOUSE_LEAK_POLICY: z
    .enum(['revoke', 'suspend'])
    .default('revoke')
    .describe('What happens to an API key that is reported as leaked; a suspended one can be resumed by its owner.'),
  GATEHOUSE_LEAK_DESCENDANTS: flag
    .default(true)
    .describe('Whether a reported leak ends the keys that the leaked one made as well, at any distance.'),
  GATEHOUSE_PROVIDER_KEY_CHECK: flag
    .default(false)
    .describe('Ask the provider whether a key is good when it is stored. Sends the key to the provider.'),
  GATEHOUSE_AUTHORIZATIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(600)
    .describe('New authorizations in a minute from one address, which may be that of an office.'),
  GATEHOUSE_OPEN_AUTHORIZATIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(50_000)
    .describe(
      'Authorizations that may wait for somebody to sign in, of all processes together; each is stored with at most 3 KB.',
    ),
  GATEHOUSE_OPEN_AUTHORIZATIONS_BY_ADDRESS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(3000)
    .describe('Of them, from one address (IPv6: one /64).'),
  GATEHOUSE_PROVIDER_KEY_USES: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(600)
    .describe('How often in a minute one resource server may use the provider keys of one user.'),
  GATEHOUSE_USAGE_RETENTION: duration('400d', { min: 86_400 }).describe('How long usage counts are kept.'),
  GATEHOUSE_PROCESSES: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'Processes that share the rate limits. While Redis is away each allows its share. Default: `WEB_CONCURRENCY`.',
    ),
  GATEHOUSE_CLIENT_CERTIFICATE_HEADER: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/)
    .optional()
    .describe(
      'Header in which a trusted proxy that ends TLS hands over the client certificate (RFC 9440, or URL-encoded PEM), for mutual-TLS clients.',
    ),
  GATEHOUSE_PATH_AUTHORIZE: path.default('/oauth2/authorize').describe('Authorization endpoint.'),
  GATEHOUSE_PATH_TOKEN: path.default('/oauth2/token').describe('Token endpoint.'),
  GATEHOUSE_PATH_INTROSPECT: path.default('/oauth2/introspect').describe('Introspection endpoint.'),
  GATEHOUSE_PATH_REVOKE: path.default('/oauth2/revoke').describe('Revocation endpoint.'),
  GATEHOUSE_PATH_USERINFO: path.default('/oauth2/userinfo').describe('Userinfo endpoint.'),
  GATEHOUSE_PATH_LOGOUT: path.default('/oauth2/logout').describe('End-session endpoint.'),
  GATEHOUSE_PATH_JWKS: path.default('/oauth2/jwks').describe('JSON Web Key Set.'),
  GATEHOUSE_CODE_LIFETIME: duration('60s', { min: 10, max: 600 }).describe('Life of an authorization code.'),
  GATEHOUSE_ID_TOKEN_LIFETIME: duration('1h', { min: 60, max: 86_400 }).describe('Life of an id token.'),
  GATEHOUSE_ACCESS_TOKEN_LIFETIME: duration('15m', { min: 60, max: 3600 }).describe(
    'Life of an access token without a resource server (for the userinfo endpoint); resource servers have their own.',
  ),
  GATEHOUSE_REFRESH_IDLE_LIFETIME: duration('14d', { min: 60 }).describe(
    'A refresh token dies when unused for so long.',
  ),
  GATEHOUSE_REFRESH_ABSOLUTE_LIFETIME: duration('90d', { min: 60 }).describe(
    'A refresh token family dies after so long, however much it is used.',
  ),
  GATEHOUSE_REFRESH_GRACE: duration('10s', { min: 0, max: 120 }).describe(
    'For so long after a refresh token was used, a retry gets the identical response. 0 switches it off.',
  ),
  GATEHOUSE_SESSION_IDLE_LIFETIME: duration('14d', { min: 60 }).describe('A sign-in ends when unused for so long.'),
  GATEHOUSE_SESSION_ABSOLUTE_LIFETIME: duration('30d', { min: 60 }).describe('A sign-in ends after so long.'),
  GATEHOUSE_INTERACTION_LIFETIME: duration('15m', { min: 60, max: 3600 }).describe(
    'Time to finish the sign-in and consent pages.',
  ),
  GATEHOUSE_KEY_ACTIVE: duration('90d', { min: 10 }).describe('How long a signing key signs.'),
  GATEHOUSE_KEY_PUBLISHED: duration('14d', { min: 1 }).describe(
    'How long a key is published at least before it signs.',
  ),
  GATEHOUSE_KEY_RETIRED: duration('14d', { min: 1 }).describe('How long a key stays published after it signed.'),
  GATEHOUSE_PASSWORD_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(Math.max(1, Math.min(3, availableParallelism() - 1)))
    .describe('Password hashes computed at once per process. Default: cores - 1, at most 3.'),
  GATEHOUSE_PASSWORD_QUEUE: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(64)
    .describe('Sign-ins that may wait for a hash; more get 503.'),
  GATEHOUSE_PASSWORD_QUEUE_SHARE: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(16)
    .describe('Of them, from one address (IPv6: one /64). The addresses that wait are served in turn.'),
  GATEHOUSE_SIGN_IN_FAILURES: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(100)
    .describe(
      'Failed sign-ins from one address (IPv6: one /64) that go at once; then one in two seconds goes. Successful ones do not count.',
    ),
  GATEHOUSE_AUDIT_RETENTION: duration('400d', { min: 86_400 }).describe('How long security events are kept.'),
  GATEHOUSE_DRAIN: duration('10s', { min: 0, max: 300 }).describe(
    'How long SIGTERM waits for requests that are under way.',
  ),
} as const;

const Settings = z.object(SETTINGS);
type Parsed = z.output<typeof Settings>;

/** Where the public endpoints are, relative to the issuer. */
export interface Paths {
  authorize: string;
  token: string;
  introspect: string;
  revoke: string;
  userinfo: string;
  logout: string;
  jwks: string;
}

/** Seconds. */
export interface Lifetimes {
  code: number;
  idToken: number;
  accessToken: number;
  loginToken: number;
  refreshIdle: number;
  refreshAbsolute: number;
  refreshGrace: number;
  sessionIdle: number;
  sessionAbsolute: number;
  interaction: number;
}

export interface Config {
  production: boolean;
  issuer: string;
  port: number;
  host: string;
  databaseUrl: string;
  databasePool: number;
  redisUrl: string | null;
  redisPrefix: string | null;
  workers: number;
  maxHeaderBytes: number;
  requestBudgetSeconds: number;
  logLevel: Parsed['LOG_LEVEL'];
  tls: { certFile: string; keyFile: string } | null;
  dataDirectory: string;
  trustedProxies: readonly string[];
  metrics: { port: number | null; host: string; path: string | null };
  jobs: 'inline' | 'off';
  demo: boolean;
  /** Why strangers may reach this server, in words; null when it is for this machine alone. */
  exposed: string | null;
  paths: Paths;
  lifetimes: Lifetimes;
  keys: { activeSeconds: number; publishedSeconds: number; retiredSeconds: number };
  passwords: { concurrency: number; queueLimit: number; queueShare: number };
  /** Failed sign-ins from one address that go at once. */
  signInFailures: number;
  auditRetentionSeconds: number;
  usageRetentionSeconds: number;
  drainSeconds: number;
  signUpOpen: boolean;
  apiOrigins: readonly string[];
  /** What may go unencrypted through the network: `stores`, `origins`. */
  allowPlain: readonly string[];
  apiKeyMax: number;
  /** Null: API keys live until they are revoked. */
  apiKeyLifetimeSeconds: number | null;
  leakPolicy: 'revoke' | 'suspend';
  leakTakesDescendants: boolean;
  checkProviderKeys: boolean;
  providerKeyUsesPerMinute: number;
  authorizationsPerMinute: number;
  /** How many may wait for a sign-in. */
  openAuthorizations: { all: number; byAddress: number };
  /** Processes that share the rate limits. */
  processes: number;
  mtls: { header: string | null };
}

/** Names that belong to secrets.ts and so are not settings here. */
const SECRET_NAMES = ['GATEHOUSE_SECRETS', 'GATEHOUSE_IMPORT_HMAC_KEY'];

/**
 * Parses and cross-checks; throws ConfigError with every problem at once. The result is frozen and holds no secret.
 * `defaults` are a dialect's, in place of ours; the environment has the last word.
 */
export function parseConfig(env: Env, defaults: Readonly<Record<string, string>> = {}): Config {
  const problems = unknownNames(env, [...Object.keys(SETTINGS), ...SECRET_NAMES]);
  const given = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, env[name] || defaults[name]]));
  const result = Settings.safeParse(given, { error: inWords });
  const issues = result.error?.issues ?? [];
  problems.push(...issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  // The cross-checks run all the same, with the defaults of what could not be read, and leave that alone.
  const unread = issues.map((issue) => String(issue.path[0]));
  const settings =
    result.data ?? Settings.parse({ ...given, ...Object.fromEntries(unread.map((name) => [name, undefined])) });
  const production = settings.NODE_ENV === 'production';
  const tls = settings.TLS_CERT && settings.TLS_KEY ? { certFile: settings.TLS_CERT, keyFile: settings.TLS_KEY } : null;
  const issuer = (settings.ISSUER ?? `http://localhost:${settings.PORT}`).replace(/\/$/, '');
  const host = settings.GATEHOUSE_HOST ?? (production ? '::' : 'localhost');
  const exposed = exposure({ production, issuer, host });
  problems.push(
    ...storeProblems(settings, env),
    ...crossChecks(settings, { production, issuer, exposed, tls: tls !== null }).filter(
      (problem) => !unread.some((name) => problem.includes(name)),
    ),
  );
  if (problems.length > 0) throw new ConfigError(problems);

  return deepFreeze({
    production,
    issuer,
    port: settings.PORT,
    host,
    databaseUrl: settings.DATABASE_URL,
    databasePool: settings.GATEHOUSE_DATABASE_POOL,
    redisUrl: settings.REDIS_URL ?? null,
    redisPrefix: settings.GATEHOUSE_REDIS_PREFIX ?? null,
    workers: settings.WEB_CONCURRENCY,
    logLevel: settings.LOG_LEVEL,
    tls,
    maxHeaderBytes: settings.GATEHOUSE_MAX_HEADER_BYTES,
    requestBudgetSeconds: settings.GATEHOUSE_REQUEST_BUDGET,
    dataDirectory: settings.GATEHOUSE_DATA_DIR,
    trustedProxies: settings.GATEHOUSE_TRUSTED_PROXIES,
    metrics: {
      port: settings.GATEHOUSE_METRICS_PORT ?? null,
      host: settings.GATEHOUSE_METRICS_HOST,
      path: settings.GATEHOUSE_METRICS_PATH ?? (production || settings.GATEHOUSE_METRICS_PORT ? null : '/metrics'),
    },
    jobs: settings.GATEHOUSE_JOBS,
    demo: settings.GATEHOUSE_DEMO ?? exposed === null,
    exposed,
    paths: {
      authorize: settings.GATEHOUSE_PATH_AUTHORIZE,
      token: settings.GATEHOUSE_PATH_TOKEN,
      introspect: settings.GATEHOUSE_PATH_INTROSPECT,
      revoke: settings.GATEHOUSE_PATH_REVOKE,
      userinfo: settings.GATEHOUSE_PATH_USERINFO,
      logout: settings.GATEHOUSE_PATH_LOGOUT,
      jwks: settings.GATEHOUSE_PATH_JWKS,
    },
    lifetimes: {
      code: settings.GATEHOUSE_CODE_LIFETIME,
      idToken: settings.GATEHOUSE_ID_TOKEN_LIFETIME,
      accessToken: settings.GATEHOUSE_ACCESS_TOKEN_LIFETIME,
      loginToken: settings.GATEHOUSE_LOGIN_TOKEN_LIFETIME,
      refreshIdle: settings.GATEHOUSE_REFRESH_IDLE_LIFETIME,
      refreshAbsolute: settings.GATEHOUSE_REFRESH_ABSOLUTE_LIFETIME,
      refreshGrace: settings.GATEHOUSE_REFRESH_GRACE,
      sessionIdle: settings.GATEHOUSE_SESSION_IDLE_LIFETIME,
      sessionAbsolute: settings.GATEHOUSE_SESSION_ABSOLUTE_LIFETIME,
      interaction: settings.GATEHOUSE_INTERACTION_LIFETIME,
    },
    keys: {
      activeSeconds: settings.GATEHOUSE_KEY_ACTIVE,
      publishedSeconds: settings.GATEHOUSE_KEY_PUBLISHED,
      retiredSeconds: settings.GATEHOUSE_KEY_RETIRED,
    },
    passwords: {
      concurrency: settings.GATEHOUSE_PASSWORD_CONCURRENCY,
      queueLimit: settings.GATEHOUSE_PASSWORD_QUEUE,
      queueShare: settings.GATEHOUSE_PASSWORD_QUEUE_SHARE,
    },
    signInFailures: settings.GATEHOUSE_SIGN_IN_FAILURES,
    auditRetentionSeconds: settings.GATEHOUSE_AUDIT_RETENTION,
    usageRetentionSeconds: settings.GATEHOUSE_USAGE_RETENTION,
    drainSeconds: settings.GATEHOUSE_DRAIN,
    signUpOpen: (settings.GATEHOUSE_SIGN_UP ?? (production ? 'closed' : 'open')) === 'open',
    apiOrigins: settings.GATEHOUSE_API_ORIGINS,
    allowPlain: settings.GATEHOUSE_ALLOW_PLAIN,
    apiKeyMax: settings.GATEHOUSE_API_KEY_MAX,
    apiKeyLifetimeSeconds: settings.GATEHOUSE_API_KEY_LIFETIME,
    leakPolicy: settings.GATEHOUSE_LEAK_POLICY,
    leakTakesDescendants: settings.GATEHOUSE_LEAK_DESCENDANTS,
    checkProviderKeys: settings.GATEHOUSE_PROVIDER_KEY_CHECK,
    authorizationsPerMinute: settings.GATEHOUSE_AUTHORIZATIONS,
    openAuthorizations: {
      all: settings.GATEHOUSE_OPEN_AUTHORIZATIONS,
      byAddress: settings.GATEHOUSE_OPEN_AUTHORIZATIONS_BY_ADDRESS,
    },
    providerKeyUsesPerMinute: settings.GATEHOUSE_PROVIDER_KEY_USES,
    processes: settings.GATEHOUSE_PROCESSES ?? settings.WEB_CONCURRENCY,
    mtls: { header: settings.GATEHOUSE_CLIENT_CERTIFICATE_HEADER ?? null },
  } satisfies Config);
}

function crossChecks(
  settings: Parsed,
  { production, issuer, exposed, tls }: { production: boolean; issuer: string; exposed: string | null; tls: boolean },
): string[] {
  const problems: string[] = [];
  const url = new URL(issuer);
  if (url.search || url.hash || url.username) problems.push('ISSUER: must have no query, fragment or user information');
  // Clients compare the issuer letter by letter with what we send.
  const normalized = `${url.origin}${url.pathname}`.replace(/\/$/, '');
  if (issuer !== normalized) problems.push(`ISSUER: write it as ${normalized}`);
  if ((settings.TLS_CERT === undefined) !== (settings.TLS_KEY === undefined))
    problems.push('TLS_CERT and TLS_KEY: set both or neither');
  problems.push(...proxyProblems(settings.GATEHOUSE_TRUSTED_PROXIES));
  for (const origin of settings.GATEHOUSE_API_ORIGINS) {
    if (URL.parse(origin)?.origin !== origin) problems.push(`GATEHOUSE_API_ORIGINS: ${origin} is not an origin`);
  }
  for (const what of settings.GATEHOUSE_ALLOW_PLAIN) {
    if (what !== 'stores' && what !== 'origins') problems.push('GATEHOUSE_ALLOW_PLAIN: use stores, origins or both');
  }
  if (settings.GATEHOUSE_CLIENT_CERTIFICATE_HEADER && settings.GATEHOUSE_TRUSTED_PROXIES.length === 0) {
    problems.push('GATEHOUSE_CLIENT_CERTIFICATE_HEADER: name the proxy that sets it in GATEHOUSE_TRUSTED_PROXIES');
  }
  problems.push(...lifetimeProblems(settings, { production }));
  const paths = Object.entries(settings).filter(([name]) => name.startsWith('GATEHOUSE_PATH_'));
  if (new Set(paths.map(([, value]) => value)).size !== paths.length)
    problems.push('GATEHOUSE_PATH_…: two endpoints have the same path');
  if (settings.GATEHOUSE_DEMO && exposed !== null) {
    problems.push(`GATEHOUSE_DEMO: demonstration data has published passwords and is refused here: ${exposed}`);
  }
  if (!production) return problems;

  if (!settings.ISSUER) problems.push('ISSUER: must be set in production');
  if (url.protocol !== 'https:') problems.push('ISSUER: must be https in production');
  if (!tls && settings.GATEHOUSE_TRUSTED_PROXIES.length === 0) {
    problems.push('TLS: set TLS_CERT and TLS_KEY, or name the TLS-terminating proxy in GATEHOUSE_TRUSTED_PROXIES');
  }
  if (settings.DATABASE_URL.includes(':memory:'))
    problems.push('DATABASE_URL: an in-memory database loses everything at a restart');
  return problems;
}

/** The fact, whatever NODE_ENV says: who is reached by others, itself or by a proxy, is no playground. */
function exposure({ production, issuer, host }: { production: boolean; issuer: string; host: string }): string | null {
  if (production) return 'this is production';
  if (issuer.startsWith('https:')) return 'the issuer is https';
  return isThisMachine(host) ? null : 'the address of GATEHOUSE_HOST is not loopback';
}

/** What is wrong with the addresses of the stores, which nobody but us reads. */
function storeProblems(settings: Parsed, env: Env): string[] {
  const { DATABASE_URL: database, REDIS_URL: redis, GATEHOUSE_API_ORIGINS: origins } = settings;
  const problems = [
    ...problemsIn(() => readDatabaseAddress(database)),
    ...(redis === undefined ? [] : problemsIn(() => readRedisAddress(redis))),
  ];
  if (problems.length > 0) return problems;
  const address = readDatabaseAddress(database);
  // libpq's own variable: who sets it relies on it.
  if (address.dialect === 'postgres' && address.tls === null && /^(?:require|verify-)/.test(env.PGSSLMODE ?? '')) {
    problems.push('DATABASE_URL: PGSSLMODE asks for TLS, which is asked for here: add sslmode=… to the address');
  }
  if (settings.NODE_ENV !== 'production') return problems;
  const apiOrigins = origins.filter((origin) => URL.canParse(origin));
  const allowPlain = settings.GATEHOUSE_ALLOW_PLAIN;
  return [...problems, ...plainConnections({ databaseUrl: database, redisUrl: redis ?? null, apiOrigins, allowPlain })];
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (child && typeof child === 'object') deepFreeze(child);
  return Object.freeze(value);
}
