/** `quota` requests in `windowSeconds`, as a generic cell rate: all at once, then one every windowSeconds / quota. */
export interface LimitQuota {
  quota: number;
  windowSeconds: number;
}

/**
 * Who shares a counter. `key`: the API key, or the subject of another credential. `subject`: the account or client. `client`: the
 * OAuth client; the rule is skipped where there is none. A stranger is counted by address under `key` and `subject`.
 */
export type LimitScope = 'key' | 'subject' | 'client' | 'address';

/** A limit and the requests it is for; every condition given must hold. */
export interface LimitRule extends LimitQuota {
  /** Shown in RateLimit-Policy: `[a-z0-9-]+`, unique among the rules. `key` is taken: it names the key's own limit. */
  name: string;
  per: LimitScope;
  /** Credentials of these methods only. */
  method?: 'api_key' | 'access_token' | 'login' | 'session';
  environment?: string;
  clientId?: string;
}

/** Whose request it is, as far as limits care. */
export interface LimitSubject {
  method: NonNullable<LimitRule['method']> | null;
  /** Account or client; null for a stranger. */
  subject: string | null;
  keyId: string | null;
  clientId: string | null;
  environment: string | null;
  /** The key's own limit, on top of the rules. */
  limit: LimitQuota | null;
  /** The address, or the /64 of an IPv6 one. */
  addressGroup: string;
}

/** One counter to take from. */
export interface LimitCounter extends LimitQuota {
  name: string;
  /** A digest of the rule, its quota and who shares it: no address or identifier in clear. */
  id: string;
}

/** What one counter says after (or, when refused, before) the request. */
export interface LimitState extends LimitQuota {
  name: string;
  allowed: boolean;
  /** Requests left right now. */
  remaining: number;
  /** Seconds until one more is allowed (refused) or until all of the quota is back (allowed), rounded up. */
  resetSeconds: number;
}

/** The name of a key's own limit among the rules. */
export const KEY_LIMIT = 'key';

/** What is wrong with rules that do not follow the above, by name of the rule; empty when nothing is. */
export function problemsOfRules(rules: readonly LimitRule[]): { name: string; problem: string }[] {
  const problems: { name: string; problem: string }[] = [];
  const names = new Set([KEY_LIMIT]);
  for (const { name, quota, windowSeconds } of rules) {
    if (!/^[a-z0-9-]+$/.test(name)) problems.push({ name, problem: 'its name must be of a-z, 0-9 and - only' });
    // Two rules of one name would be told apart by nobody who reads the headers.
    if (names.has(name)) problems.push({ name, problem: 'its name is taken' });
    if (!isWholeAndPositive(quota)) problems.push({ name, problem: 'its quota must be a whole number, at least 1' });
    if (!isWholeAndPositive(windowSeconds)) {
      problems.push({ name, problem: 'its windowSeconds must be a whole number, at least 1' });
    }
    names.add(name);
  }
  return problems;
}

const isWholeAndPositive = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
