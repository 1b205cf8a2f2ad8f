import type { Provider } from '../../domain/provider-keys/vault.ts';

type Answer = 'accepted' | 'refused' | 'unknown';

/**
 * Asks the provider whether it knows a key, when the key is saved. Off unless `enabled`: it calls out of the network. Never
 * rejects and never waits longer than `timeoutMs`; whatever is no clear answer is `unknown`, and lets the key pass.
 * The address comes from the list of providers, never from a user.
 */
export function createProviderKeyCheck({
  enabled,
  fetch,
  timeoutMs = 3000,
}: {
  enabled: boolean;
  fetch: typeof globalThis.fetch;
  /** Milliseconds, for the connection and the answer's head together. */
  timeoutMs?: number;
}): (provider: Provider, value: string) => Promise<Answer> {
  return async ({ checkUrl, checkHeaders, header, scheme }, value) => {
    // A key never travels in clear.
    if (!enabled || checkUrl === undefined || URL.parse(checkUrl)?.protocol !== 'https:') return 'unknown';
    try {
      const response = await fetch(checkUrl, {
        headers: { ...checkHeaders, [header]: `${scheme}${value}` },
        // Not even to another page of the same provider: it would be asked with the key again.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      // The status says it all; how long the body is does not matter then.
      response.body?.cancel().catch(() => {});
      if (response.status === 401 || response.status === 403) return 'refused';
      return response.ok ? 'accepted' : 'unknown';
    } catch {
      // Not logged: the message of a failed request may repeat its headers.
      return 'unknown';
    }
  };
}
