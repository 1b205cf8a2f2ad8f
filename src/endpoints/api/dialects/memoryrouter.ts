import type { AppError } from '../../../kit/errors.ts';
import { type Dialect, route } from '../dialect.ts';

/** MemoryRouter: a Memory Key says who it is, provider keys are stored or come along with the request. */
export default {
  name: 'memoryrouter',
  title: 'MemoryRouter',
  keys: {
    environments: { live: { prefix: 'mk_', billable: true } },
    defaultScopes: ['read', 'write'],
  },
  scopes: [
    { name: 'read', description: 'Read your memory' },
    { name: 'write', description: 'Write to your memory' },
    { name: 'manage', description: 'Manage your Memory Keys, provider keys and usage' },
  ],
  manageScope: 'manage',
  credentials: {
    headers: ['x-memory-key', 'authorization', 'x-api-key'],
    // "Pass-through mode": beside X-Memory-Key, Authorization is the provider's.
    providerKey: { headers: ['authorization', 'x-provider-key'], authorizationWith: 'x-memory-key' },
  },
  limits: [],
  // Keys and provider keys are managed in its dashboard, which is the canonical API here. Its own server asks for the provider
  // key of a request and passes on what it is told, so the errors of that must be those of its page.
  routes: { 'POST /v1/provider-keys/resolve': route('resolveProviderKey') },
  error: (error) => ({ body: { ...wordsFor(error), ...(error.facts.fields ? { fields: error.facts.fields } : {}) } }),
} satisfies Dialect;

function wordsFor(error: AppError): { error: string; hint: string } {
  switch (error.code) {
    case 'unauthenticated':
    case 'token_expired':
      return { error: 'Missing or invalid authentication', hint: 'Use: Authorization: Bearer mk_xxx' };
    case 'provider_key_missing': {
      const provider = error.facts.provider ?? 'unknown';
      return {
        error: `No API key configured for provider: ${provider}`,
        hint: `Add your ${provider} API key in settings, or pass X-Provider-Key header`,
      };
    }
    default:
      return { error: error.public, hint: error.entry.next };
  }
}
