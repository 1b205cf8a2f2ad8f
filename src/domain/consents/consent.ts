/** What an account once allowed a client, remembered across sessions. */
export interface Consent {
  accountId: string;
  clientId: string;
  /** OpenID Connect scopes. */
  scopes: readonly string[];
  /** OpenID Connect claims asked for one by one. */
  claims: readonly string[];
  /** Scopes by resource server identifier. */
  resources: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds since the epoch. */
  updatedAt: number;
}

/** What was allowed in one step, before it is remembered. */
export type Allowed = Omit<Consent, 'updatedAt'>;

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].sort();

/** Adds what was just allowed to what was allowed before: a step-up never loses an earlier scope. */
export function mergeConsent(before: Consent | null, now: Consent): Consent {
  if (!before) return now;
  const resources: Record<string, readonly string[]> = { ...before.resources };
  for (const [resource, scopes] of Object.entries(now.resources)) {
    resources[resource] = union(resources[resource] ?? [], scopes);
  }
  return { ...now, scopes: union(before.scopes, now.scopes), claims: union(before.claims, now.claims), resources };
}
