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
  /**
   * Whether a text may be an API key: all but tokens that were made here, over or not. Keys of another system may be JWTs, or look
   * like our opaque tokens.
   */
  mayBeKey(text: string): Promise<boolean>;
  /** For certain, and without asking anybody: neither looks like a token nor can be a key. */
  isMalformed(text: string): boolean;
}

/** What a token looks like; everything else is taken for an API key. */
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
    async resolve({ text, from }, caller) {
      if (from === 'session-cookie') return tokens.resolve(text, 'session', caller);
      if (from === 'login-cookie') return tokens.resolve(text, 'login', caller);
      if (!looksLikeToken(text)) return apiKeys.resolve(text, caller);
      // What proves to be no token of ours may be a key of another system. A tag is looked at before the tokens are.
      if (from !== 'dpop' && tokens.isForeignByTag(text)) {
        const asKey = await apiKeys.resolveImported(text, caller);
        return isNobodys(asKey) ? tokens.resolve(text, 'token', caller) : asKey;
      }
      const asToken = await tokens.resolve(text, 'token', caller);
      if (from === 'dpop' || !(asToken.kind === 'refused' && asToken.reason === 'malformed')) return asToken;
      const asKey = await apiKeys.resolveImported(text, caller);
      return isNobodys(asKey) ? asToken : asKey;
    },
    mayBeKey: async (text) => !looksLikeToken(text) || tokens.isForeign(text),
    isMalformed: (text) => !looksLikeToken(text) && apiKeys.isMalformed(text),
    forget(tag) {
      apiKeys.forget(tag);
      tokens.forget(tag);
    },
  };
}

/** Nobody imported it: then what it looks like says what was wrong with it. */
const isNobodys = (asKey: Resolution): boolean =>
  asKey.kind === 'refused' && (asKey.reason === 'malformed' || asKey.reason === 'unknown');
