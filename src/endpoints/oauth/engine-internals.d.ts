/** Types for the deep imports of internals.ts, which the engine publishes none for. */
declare module 'oidc-provider/lib/actions/grants/authorization_code.js' {
  export function handler(provider: unknown, helpers: unknown, ctx: unknown): Promise<void>;
}
declare module 'oidc-provider/lib/actions/grants/refresh_token.js' {
  export function handler(provider: unknown, helpers: unknown, ctx: unknown): Promise<void>;
}
declare module 'oidc-provider/lib/helpers/als.js' {
  import type { AsyncLocalStorage } from 'node:async_hooks';

  const als: AsyncLocalStorage<unknown>;
  export default als;
}
