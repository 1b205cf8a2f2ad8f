import { type Dialect, route } from '../dialect.ts';

/**
 * TokenOS: what it calls an API key is a client of the token endpoint, `/oauth2/token`. Its page names no path for the
 * dashboard where people manage them; here it is `/dashboard/api-keys`, with a sign-in.
 */
export default {
  name: 'tokenos',
  title: 'TokenOS',
  keys: {
    environments: {
      live: { prefix: 'tos_live_', billable: true },
      test: { prefix: 'tos_test_', billable: false },
    },
    defaultScopes: ['read'],
  },
  scopes: [
    { name: 'read', description: 'Read your data' },
    { name: 'write', description: 'Create, change and delete your data' },
    { name: 'manage', description: 'Manage your keys and usage' },
  ],
  manageScope: 'manage',
  credentials: { headers: ['authorization', 'x-api-key'] },
  limits: [],
  routes: {
    'GET /dashboard/api-keys': route('listClients'),
    'POST /dashboard/api-keys': route('createClient'),
    'POST /dashboard/api-keys/{id}/rotate': route('rotateClientSecret'),
    'DELETE /dashboard/api-keys/{id}': route('removeClient'),
  },
  // RFC 6749 5.2, the error of its token endpoint.
  error: (error) => ({
    body: {
      error: error.entry.oauth,
      error_description: error.public,
      ...(error.facts.fields ? { fields: error.facts.fields } : {}),
      ...(error.facts.scope === undefined ? {} : { scope: error.facts.scope }),
    },
  }),
} satisfies Dialect;
