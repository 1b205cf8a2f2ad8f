import { lastsUntil } from '../../kit/clock.ts';
import { AppError, type ErrorFacts } from '../../kit/errors.ts';
import { isDisplayName } from '../clients/client-rules.ts';
import type { LimitQuota } from '../limits/limit-rule.ts';
import { addressProblem, MAX_ALLOWED_ADDRESSES } from './addresses.ts';
import type { NewApiKey } from './manage-api-keys.ts';

export type FieldProblem = NonNullable<ErrorFacts['fields']>[number];

export const DAY_MS = 86_400_000;
const MAX_LIFETIME_DAYS = 3650;
const MAX_OVERLAP_SECONDS = 7 * 86_400;

/** Whether the secret before a rotation, or an imported one, still works beside the new one. */
export const overlaps = (endsAt: number, nowMs: number): boolean =>
  lastsUntil(endsAt, MAX_OVERLAP_SECONDS * 1000, nowMs);

const MAX_QUOTA = 1_000_000_000;
const MAX_WINDOW_SECONDS = 86_400;

/** Throws invalid_request when there is any problem. Fields have the names of the JSON API: `expires_in_days`. */
export function requireValid(problems: readonly FieldProblem[]): void {
  if (problems.length === 0) return;
  throw new AppError('invalid_request', {
    public: problems.map(({ field, problem }) => `${field}: ${problem}`).join('; '),
    facts: { fields: problems },
  });
}

/** What is wrong with the members that were given, whoever asks. */
export function keyProblems(
  input: Pick<NewApiKey, 'expiresInDays' | 'expiresAt' | 'allowedAddresses'> & {
    name?: string | undefined;
    limit?: LimitQuota | null | undefined;
  },
  nowMs: number,
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (input.name !== undefined && !(isDisplayName(input.name) && input.name.isWellFormed())) {
    problems.push({ field: 'name', problem: 'use 1 to 120 printable characters' });
  }
  return [
    ...problems,
    ...expiryProblems(input, nowMs),
    ...addressProblems(input.allowedAddresses),
    ...limitProblems(input.limit),
  ];
}

function expiryProblems(
  { expiresInDays, expiresAt }: Pick<NewApiKey, 'expiresInDays' | 'expiresAt'>,
  nowMs: number,
): FieldProblem[] {
  if (expiresInDays !== undefined && expiresAt !== undefined) {
    return [{ field: 'expires_at', problem: 'give either expires_in_days or expires_at' }];
  }
  if (expiresInDays !== undefined && !isWithin(expiresInDays, 1, MAX_LIFETIME_DAYS)) {
    return [{ field: 'expires_in_days', problem: `use a whole number from 1 to ${MAX_LIFETIME_DAYS}` }];
  }
  const latest = Math.floor((nowMs + MAX_LIFETIME_DAYS * DAY_MS) / 1000);
  if (expiresAt !== undefined && !isWithin(expiresAt, Math.floor(nowMs / 1000) + 1, latest)) {
    return [{ field: 'expires_at', problem: 'use a time in the future, at most ten years ahead' }];
  }
  return [];
}

function addressProblems(addresses: readonly string[] = []): FieldProblem[] {
  const field = 'allowed_addresses';
  if (addresses.length > MAX_ALLOWED_ADDRESSES) return [{ field, problem: `use at most ${MAX_ALLOWED_ADDRESSES}` }];
  return addresses
    .map(addressProblem)
    .filter((problem) => problem !== null)
    .map((problem) => ({ field, problem }));
}

function limitProblems(limit: LimitQuota | null | undefined): FieldProblem[] {
  if (!limit) return [];
  const good = isWithin(limit.quota, 1, MAX_QUOTA) && isWithin(limit.windowSeconds, 1, MAX_WINDOW_SECONDS);
  const problem = `use a quota from 1 to ${MAX_QUOTA} in a window of 1 to ${MAX_WINDOW_SECONDS} seconds`;
  return good ? [] : [{ field: 'limit', problem }];
}

export const overlapProblems = (overlapSeconds: number): FieldProblem[] =>
  isWithin(overlapSeconds, 0, MAX_OVERLAP_SECONDS)
    ? []
    : [{ field: 'overlap_seconds', problem: `use a whole number from 0 to ${MAX_OVERLAP_SECONDS} (7 days)` }];

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** A name that may stand in a header and in a resource server's own keys. */
export const isNamespace = (text: string): boolean => /^[\w.:-]{1,64}$/.test(text);

/** One line of something that strangers wrote, fit for the audit trail. */
export const oneLine = (text: string, length: number): string =>
  text
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, length);
