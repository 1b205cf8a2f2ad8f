import type { CredentialTag } from './announce.ts';
import type { ApiKeyResolver, Caller } from './api-key-resolver.ts';
import type { PresentedCredential } from './presented.ts';
import type { Resolution } from './principal.ts';
import type { TokenResolver } from './token-resolver.ts';

/** Any credential → who it is, or why not. The one thing behind verify, forward-auth, introspection and our own endpoints. */
export interface CredentialResolver {
  resolve(presented: PresentedCredential, caller: Caller): Promise<Resolution>;
  /** Forgets what was remembered under this tag. */
  forget(tag: CredentialTag): void;
  /** For certain, and without asking anybody: neither looks like a token nor can be a key. */
  isMalformed(text: string): boolean;
}

/** What only a token can look like; everything else is taken for an API key. */
const TOKEN = /^(?:eyJ[A-Za-z0-9_-]*\.|g[ar]t_[A-Za-z0-9_-]{43}$)/;

export const looksLikeToken = (text: string): boolean => TOKEN.test(text);

export function createCredentialResolver({
  apiKeys,
  tokens,
}: {
  apiKeys: ApiKeyResolver;
  tokens: TokenResolver;
}): CredentialResolver {
  return {
    resolve({ text, from }, caller) {
      if (from === 'session-cookie') return tokens.resolve(text, 'session', caller);
      if (from === 'login-cookie') return tokens.resolve(text, 'login', caller);
      return looksLikeToken(text) ? tokens.resolve(text, 'token', caller) : apiKeys.resolve(text, caller);
    },
    isMalformed: (text) => !looksLikeToken(text) && apiKeys.isMalformed(text),
    forget(tag) {
      apiKeys.forget(tag);
      tokens.forget(tag);
    },
  };
}
