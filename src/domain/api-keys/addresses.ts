import { areWithin, createAddressSet, parseRange } from '../../kit/addresses.ts';

export const MAX_ALLOWED_ADDRESSES = 50;

/** Why this is neither an address nor a CIDR range; null when it is one. */
export const addressProblem = (text: string): string | null =>
  parseRange(text) ? null : `${text.slice(0, 64)} is neither an IP address nor a CIDR range`;

/** By the list itself: the resolver remembers keys, so a list is compiled once for as long as its key is remembered. */
const compiled = new WeakMap<readonly string[], (address: string) => boolean>();

/** Whether a key with these ranges may be used from an address; with none, from everywhere. */
export function isAllowedAddress(address: string, ranges: readonly string[]): boolean {
  if (ranges.length === 0) return true;
  let allows = compiled.get(ranges);
  if (!allows) {
    allows = createAddressSet(ranges);
    compiled.set(ranges, allows);
  }
  return allows(address);
}

/** Whether a key with the ranges `inner` may be used from nowhere that one with `outer` may not. */
export function areAddressesWithin(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true;
  if (inner.length === 0) return false;
  const read = (ranges: readonly string[]) => ranges.map(parseRange).filter((range) => range !== null);
  return areWithin(read(inner), read(outer));
}
