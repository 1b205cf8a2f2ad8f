import type { Requirements } from './guard.ts';

/** Any environment: said by whoever looks at it in the answer. No environment can be called so. */
export const ANY_ENVIRONMENT = '*';

/**
 * Which environments a resource server takes. One that names none means its usual one: a key for trying out must not pass for a
 * real one because somebody did not think of it.
 */
export type EnvironmentsOf = (asked: string | readonly string[] | undefined) => Pick<Requirements, 'environments'>;

export const createEnvironmentsOf =
  (usualEnvironment: string): EnvironmentsOf =>
  (asked = usualEnvironment) => {
    const environments = [asked].flat();
    return environments.includes(ANY_ENVIRONMENT) ? {} : { environments };
  };
