import { type Dialect, route } from '../dialect.ts';

/** The words of its page for the errors it documents. */
const DOCUMENTED = {
  invalidToken: { error: 'Invalid token', description: 'JWT token is invalid or expired' },
  invalidApiKey: { error: 'Invalid API Key', description: 'API key is invalid or revoked' },
  forbidden: { error: 'Forbidden', description: 'Insufficient permissions' },
} as const;

/** OpenMemoryX: a JWT by JSON login for its portal, API keys for everything else. */
export default {
  name: 'openmemoryx',
  title: 'OpenMemoryX',
  settings: {
    GATEHOUSE_SIGN_UP: 'open',
    // "API key is invalid or revoked": nothing says that one ends by itself.
    GATEHOUSE_API_KEY_LIFETIME: 'never',
  },
  keys: {
    environments: { live: { prefix: 'omx_', billable: true } },
    defaultScopes: ['read', 'write'],
    atSignUp: { name: 'First key', scopes: ['read', 'write'] },
  },
  scopes: [
    { name: 'read', description: 'Read your memories' },
    { name: 'write', description: 'Create, change and delete your memories' },
    { name: 'manage', description: 'Manage your API keys, provider keys and usage' },
  ],
  manageScope: 'manage',
  credentials: { headers: ['authorization', 'x-api-key'] },
  limits: [],
  forms: 'fields',
  routes: {
    'POST /api/auth/register': route('signUp', {
      names: { username: 'email' },
      answer: ({ id, email, created_at, api_key }) => ({
        id,
        username: email,
        created_at,
        ...(api_key ? { api_key: api_key.key, api_key_id: api_key.id } : {}),
      }),
    }),
    'POST /api/auth/login': route('login', {
      names: { username: 'email' },
      // A form can be posted by any page on the web: it must not be able to leave cookies behind.
      fixed: { mode: 'tokens' },
      answer: ({ access_token }) => ({ access_token, token_type: 'bearer' }),
    }),
    'GET /api/auth/me': route('me', {
      answer: ({ id, email, email_verified, created_at, scopes }) => ({
        id,
        username: email,
        email_verified,
        created_at,
        scopes,
      }),
    }),
    'GET /api/keys': route('listApiKeys'),
    // Its page shows the request without a body.
    'POST /api/keys': route('createApiKey', { defaults: { name: 'API key' } }),
    'DELETE /api/keys/{id}': route('revokeApiKey'),
  },
  error: (error) => {
    switch (error.code) {
      case 'unauthenticated':
      case 'token_expired':
        // Without any credential it says what API requests need.
        return { body: error.facts.credential === 'token' ? DOCUMENTED.invalidToken : DOCUMENTED.invalidApiKey };
      case 'insufficient_scope':
        return { body: DOCUMENTED.forbidden };
      default:
        return {
          body: {
            error: error.entry.title,
            description: error.public,
            ...(error.facts.fields ? { fields: error.facts.fields } : {}),
          },
        };
    }
  },
} satisfies Dialect;
