import type { AppError } from '../../../kit/errors.ts';
import { type Dialect, route } from '../dialect.ts';
import type { Output } from '../operations.ts';

const HOUR = 3600;

/** The API of an "API Authentication" page without a product name: API keys, OAuth 2.0 and JWTs by login. */
export default {
  name: 'api-auth',
  title: 'API',
  settings: {
    GATEHOUSE_PATH_AUTHORIZE: '/oauth/authorize',
    GATEHOUSE_PATH_TOKEN: '/oauth/token',
    GATEHOUSE_PATH_INTROSPECT: '/oauth/introspect',
    GATEHOUSE_PATH_REVOKE: '/oauth/revoke',
    GATEHOUSE_PATH_USERINFO: '/oauth/userinfo',
    GATEHOUSE_PATH_LOGOUT: '/oauth/logout',
    GATEHOUSE_PATH_JWKS: '/oauth/jwks',
    // "Access tokens expire after 1 hour."
    GATEHOUSE_ACCESS_TOKEN_LIFETIME: '1h',
    GATEHOUSE_LOGIN_TOKEN_LIFETIME: '1h',
  },
  keys: {
    environments: {
      live: { prefix: 'ak_live_', billable: true },
      test: { prefix: 'ak_test_', billable: false },
    },
    defaultScopes: ['read', 'write'],
  },
  scopes: [
    { name: 'read', description: 'Read your data' },
    { name: 'write', description: 'Create, change and delete your data' },
    { name: 'manage', description: 'Manage your API keys, provider keys and usage' },
  ],
  manageScope: 'manage',
  credentials: { headers: ['authorization'] },
  // Requests an hour by method; a caller has them to itself.
  limits: [
    { name: 'api-keys', per: 'key', method: 'api_key', quota: 1000, windowSeconds: HOUR },
    { name: 'oauth', per: 'subject', method: 'access_token', quota: 5000, windowSeconds: HOUR },
    { name: 'jwt', per: 'subject', method: 'login', quota: 2000, windowSeconds: HOUR },
    // The same sign-in, by cookie.
    { name: 'session', per: 'subject', method: 'session', quota: 2000, windowSeconds: HOUR },
  ],
  // Its page names no headers; clients of such limits look for these.
  legacyRateLimitHeaders: true,
  routes: {
    'POST /v1/auth/login': route('login', {
      names: { username: 'email' },
      fixed: { mode: 'tokens' },
      answer: jwtAnswer,
    }),
    'POST /v1/auth/refresh': route('refresh', { answer: jwtAnswer }),
    'GET /v1/auth/verify': route('verify', {
      answer: ({ subject, scopes, expires_at }) => ({
        authenticated: true,
        user_id: subject,
        scopes,
        expires_at,
      }),
    }),
  },
  error: (error, { at }) => ({
    body: {
      ...wordsFor(error),
      code: error.entry.status,
      // Without fractions, as its page has it: 2024-01-15T10:30:00Z.
      timestamp: at.toISOString().replace(/\.\d+Z$/, 'Z'),
      ...(error.facts.fields ? { fields: error.facts.fields } : {}),
    },
  }),
} satisfies Dialect;

function jwtAnswer({ access_token, expires_at, refresh_token }: Output<'login'>): object {
  return { token: access_token, expires_at, refresh_token };
}

function wordsFor(error: AppError): { error: string; message: string } {
  switch (error.code) {
    case 'unauthenticated':
      return { error: 'invalid_token', message: 'The provided token is invalid or has expired' };
    case 'token_expired':
      return { error: 'token_expired', message: 'The access token has expired' };
    case 'invalid_credentials':
      return { error: 'invalid_credentials', message: 'Username or password incorrect' };
    case 'insufficient_scope':
      return { error: 'insufficient_scope', message: 'Token lacks required permissions' };
    case 'rate_limit_exceeded':
    case 'too_many_requests':
      return { error: 'rate_limit_exceeded', message: 'Too many requests' };
    default:
      return { error: error.code, message: error.public };
  }
}
