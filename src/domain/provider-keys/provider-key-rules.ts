import type { Digester } from '../../kit/digest.ts';
import type { ErrorFacts } from '../../kit/errors.ts';
import type { ProviderKey } from './provider-key.ts';
import type { Provider } from './vault.ts';

/** What one person needs, many times over, and no more than one page shows. */
export const MOST_KEYS = 50;

type Problem = NonNullable<ErrorFacts['fields']>[number];

const VALUE = /^[\x21-\x7e]{8,4096}$/;
const LABEL = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,120}$/u;

/** What is wrong with a request's members; never repeats a value. */
export function providerKeyProblems(
  input: { provider?: string; value?: string; label?: string },
  providers: readonly Provider[],
): Problem[] {
  const problems: Problem[] = [];
  if (input.provider !== undefined && !providers.some(({ name }) => name === input.provider)) {
    problems.push({ field: 'provider', problem: `use one of ${providers.map(({ name }) => name).join(', ')}` });
  }
  if (input.value !== undefined && !VALUE.test(input.value)) {
    problems.push({ field: 'value', problem: 'use 8 to 4096 printable ASCII characters without spaces' });
  }
  if (input.label !== undefined && (!LABEL.test(input.label) || input.label.trim() === '')) {
    problems.push({ field: 'label', problem: 'use 1 to 120 printable characters' });
  }
  return problems;
}

const SHOWN_PREFIX = 8;
const SHORTEST_SHOWN = 20;

/**
 * `sk-proj-…wxyz`: the words a provider begins its keys with, then the last four. A word ends with `-` or `_`, and is lower
 * case, or it would be a piece of the secret. At most 8 characters and a quarter of the value; of a short value, nothing.
 */
export function maskOf(value: string): string {
  if (value.length < SHORTEST_SHOWN) return '…';
  const limit = Math.min(SHOWN_PREFIX, Math.floor(value.length / 4));
  const words = /^(?:[a-z][a-z0-9]*[-_])*/.exec(value.slice(0, limit))?.[0] ?? '';
  return `${words}…${value.slice(-4)}`;
}

/** 96 bits of a keyed digest: the same for the same value of one owner only, so that no two owners can be linked by it. */
export const fingerprintOf = (
  digester: Digester,
  { ownerId, provider }: Pick<ProviderKey, 'ownerId' | 'provider'>,
  value: string,
): string => digester.digest('provider-key', `${ownerId}\0${provider}\0${value}`).slice(0, 16);
