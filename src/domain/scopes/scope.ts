/** One scope of the API, in the words of the product. */
export interface ScopeDefinition {
  name: string;
  /** What it allows, for consent pages and documentation. */
  description: string;
  /** Scopes that come with it: `admin` may include `read`. */
  includes?: readonly string[];
  /** For clients acting by themselves only (a resource server, say); no user can hold or grant it. */
  clientsOnly?: boolean;
}

/** What a set of scopes amounts to, with everything they include. */
export function expandScopes(granted: readonly string[], catalogue: readonly ScopeDefinition[]): ReadonlySet<string> {
  const all = new Set<string>();
  const add = (name: string): void => {
    if (all.has(name)) return;
    all.add(name);
    for (const included of catalogue.find((scope) => scope.name === name)?.includes ?? []) add(included);
  };
  for (const name of granted) add(name);
  return all;
}

/** The scopes a user may hold at all. */
export const userScopes = (catalogue: readonly ScopeDefinition[]): string[] =>
  catalogue.filter((scope) => !scope.clientsOnly).map((scope) => scope.name);

/** Lets a resource server use the provider keys of users who come to it. */
export const USE_PROVIDER_KEYS = 'provider-keys:use';

/** Scopes that come with every product. */
export const BUILT_IN_SCOPES: readonly ScopeDefinition[] = [
  { name: USE_PROVIDER_KEYS, description: 'Use the provider keys of users', clientsOnly: true },
];

/** Of the scopes a user may hold, those this account holds; `own` null means all. */
export const scopesOfAccount = (own: readonly string[] | null, catalogue: readonly ScopeDefinition[]): string[] => {
  const all = userScopes(catalogue);
  if (own === null) return all;
  const held = expandScopes(own, catalogue);
  return all.filter((scope) => held.has(scope));
};

/**
 * What is left of a grant after its owner may have lost scopes since. Scopes that the catalogue does not know (OpenID Connect's,
 * those of other resource servers) are not the owner's to lose.
 */
export function stillHeld(
  granted: readonly string[],
  own: readonly string[] | null,
  catalogue: readonly ScopeDefinition[],
): readonly string[] {
  if (own === null) return granted;
  const held = expandScopes(own, catalogue);
  const isOwners = (scope: string): boolean => catalogue.some(({ name }) => name === scope);
  const within = (scope: string): boolean =>
    !isOwners(scope) || [...expandScopes([scope], catalogue)].every((included) => held.has(included));
  if (granted.every(within)) return granted;
  // A broad scope shrinks to those it includes that are left.
  return [...expandScopes(granted, catalogue)].filter(within);
}
