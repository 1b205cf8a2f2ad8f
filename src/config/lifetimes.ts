/** The settings whose values have to fit each other, in seconds. */
export interface LifetimeSettings {
  GATEHOUSE_ACCESS_TOKEN_LIFETIME: number;
  GATEHOUSE_ID_TOKEN_LIFETIME: number;
  GATEHOUSE_LOGIN_TOKEN_LIFETIME: number;
  GATEHOUSE_REFRESH_IDLE_LIFETIME: number;
  GATEHOUSE_REFRESH_ABSOLUTE_LIFETIME: number;
  GATEHOUSE_REFRESH_GRACE: number;
  GATEHOUSE_SESSION_IDLE_LIFETIME: number;
  GATEHOUSE_SESSION_ABSOLUTE_LIFETIME: number;
  GATEHOUSE_KEY_ACTIVE: number;
  GATEHOUSE_KEY_PUBLISHED: number;
  GATEHOUSE_KEY_RETIRED: number;
}

/** The longest life that a resource server may give its JWT access tokens. */
const LONGEST_ACCESS_TOKEN = 3600;
/** How long clients and verifiers may keep the key set (endpoints/oauth/routes.ts). */
const KEY_SET_CACHE = 300;
/** Says that what a retired key signed is to die at once: after a leak (docs/operations.md). */
const AT_ONCE = 1;

type Name = keyof LifetimeSettings;

/**
 * Lifetimes that cannot fit each other, each with the sentence that mends it. Outside production only what could never work:
 * tests and trials make keys that live for seconds.
 */
export function lifetimeProblems(settings: LifetimeSettings, { production }: { production: boolean }): string[] {
  const problems: string[] = [];
  const notLonger = (name: Name, limit: Name): void => {
    if (settings[name] > settings[limit]) problems.push(`${name}: longer than ${limit}`);
  };
  notLonger('GATEHOUSE_REFRESH_IDLE_LIFETIME', 'GATEHOUSE_REFRESH_ABSOLUTE_LIFETIME');
  notLonger('GATEHOUSE_SESSION_IDLE_LIFETIME', 'GATEHOUSE_SESSION_ABSOLUTE_LIFETIME');
  notLonger('GATEHOUSE_REFRESH_GRACE', 'GATEHOUSE_REFRESH_IDLE_LIFETIME');
  if (!production) return problems;

  for (const token of ['GATEHOUSE_ACCESS_TOKEN_LIFETIME', 'GATEHOUSE_LOGIN_TOKEN_LIFETIME'] as const) {
    if (settings[token] > settings.GATEHOUSE_REFRESH_IDLE_LIFETIME) {
      problems.push(
        `${token}: longer than GATEHOUSE_REFRESH_IDLE_LIFETIME; a client that refreshes when the access token has ended would be too late`,
      );
    }
  }
  const longestJwt = Math.max(
    settings.GATEHOUSE_ID_TOKEN_LIFETIME,
    settings.GATEHOUSE_LOGIN_TOKEN_LIFETIME,
    LONGEST_ACCESS_TOKEN,
  );
  if (settings.GATEHOUSE_KEY_RETIRED < longestJwt && settings.GATEHOUSE_KEY_RETIRED !== AT_ONCE) {
    problems.push(
      `GATEHOUSE_KEY_RETIRED: use at least ${longestJwt}s, the longest life of a token, or it outlives the key that verifies it ` +
        `(${AT_ONCE}s lets all tokens of a retired key die at once, after a leak)`,
    );
  }
  if (settings.GATEHOUSE_KEY_PUBLISHED < KEY_SET_CACHE) {
    problems.push(
      `GATEHOUSE_KEY_PUBLISHED: use at least ${KEY_SET_CACHE}s; so long verifiers may keep a key set that does not have the new key`,
    );
  }
  if (settings.GATEHOUSE_KEY_ACTIVE < longestJwt) {
    problems.push(
      `GATEHOUSE_KEY_ACTIVE: use at least ${longestJwt}s, or the key set grows with keys that are still needed`,
    );
  }
  return problems;
}
