import type { Provider } from './vault.ts';

const bearer = { header: 'Authorization', scheme: 'Bearer ' };

/**
 * The providers that are known without configuration. `checkUrl` is the cheapest documented request that needs the key and
 * changes nothing: mostly the list of models.
 */
export const DEFAULT_PROVIDERS: readonly Provider[] = [
  { name: 'openai', title: 'OpenAI', ...bearer, checkUrl: 'https://api.openai.com/v1/models' },
  {
    name: 'anthropic',
    title: 'Anthropic',
    header: 'x-api-key',
    scheme: '',
    checkUrl: 'https://api.anthropic.com/v1/models',
    checkHeaders: { 'anthropic-version': '2023-06-01' },
  },
  {
    name: 'google',
    title: 'Google Gemini',
    header: 'x-goog-api-key',
    scheme: '',
    checkUrl: 'https://generativelanguage.googleapis.com/v1beta/models',
  },
  { name: 'mistral', title: 'Mistral', ...bearer, checkUrl: 'https://api.mistral.ai/v1/models' },
  { name: 'groq', title: 'Groq', ...bearer, checkUrl: 'https://api.groq.com/openai/v1/models' },
  { name: 'cohere', title: 'Cohere', ...bearer, checkUrl: 'https://api.cohere.com/v1/models' },
  // Its list of models is public; this one tells about the key that asks.
  { name: 'openrouter', title: 'OpenRouter', ...bearer, checkUrl: 'https://openrouter.ai/api/v1/key' },
  // Every customer has an address of their own, so there is none to ask.
  { name: 'azure-openai', title: 'Azure OpenAI', header: 'api-key', scheme: '' },
  { name: 'together', title: 'Together AI', ...bearer, checkUrl: 'https://api.together.xyz/v1/models' },
  { name: 'deepseek', title: 'DeepSeek', ...bearer, checkUrl: 'https://api.deepseek.com/models' },
  { name: 'xai', title: 'xAI', ...bearer, checkUrl: 'https://api.x.ai/v1/models' },
];
