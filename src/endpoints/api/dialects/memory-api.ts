import { type Dialect, route } from '../dialect.ts';
import { problem } from '../problem.ts';

/** Memory API: keys for production and for the sandbox, managed by keys with the scope `admin`. Its page shows no errors. */
export default {
  name: 'memory-api',
  title: 'Memory API',
  settings: {
    GATEHOUSE_SIGN_UP: 'open',
    // "You can create keys that automatically expire": the others do not.
    GATEHOUSE_API_KEY_LIFETIME: 'never',
  },
  keys: {
    environments: {
      live: { prefix: 'mem_live_', billable: true },
      test: { prefix: 'mem_test_', billable: false },
    },
    defaultScopes: ['read', 'write'],
    // Keys are managed by keys, so the first one must be able to.
    atSignUp: { name: 'First key', scopes: ['admin'] },
  },
  scopes: [
    { name: 'read', description: 'Read memories, query, view usage' },
    { name: 'write', description: 'Create and update memories' },
    { name: 'delete', description: 'Delete memories' },
    { name: 'admin', description: 'Manage API keys, full access', includes: ['read', 'write', 'delete'] },
  ],
  manageScope: 'admin',
  credentials: { headers: ['authorization', 'x-api-key'] },
  limits: [],
  // Its `curl -d '{…}'` lines send JSON under the content type of a form.
  forms: 'json',
  routes: {
    'POST /signup': route('signUp', {
      answer: ({ id, email, created_at, api_key }) => ({
        id,
        email,
        created_at,
        ...(api_key ? { api_key: api_key.key, api_key_id: api_key.id } : {}),
      }),
    }),
    'GET /v1/account/api-keys': route('listApiKeys'),
    'POST /v1/account/api-keys': route('createApiKey'),
    'DELETE /v1/account/api-keys/{id}': route('revokeApiKey'),
  },
  error: problem,
  errorType: 'application/problem+json',
} satisfies Dialect;
