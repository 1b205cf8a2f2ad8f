import { BlockList, isIP } from 'node:net';

/**
 * The one reader of IP addresses and CIDR ranges. It is strict: what inet_aton would still take (`10.1`, `010.0.0.1`, `0x7f.1`),
 * a zone (`fe80::1%eth0`, which means something on one machine only), an empty or padded prefix and blanks are refused.
 *
 * IPv4 is the part ::ffff:0:0/96 of one address space, as a socket that listens on both families shows it. So
 * `::ffff:10.0.0.0/104` is 10.0.0.0/8, and `::/0` is everything.
 */

/** In canonical form: what lies in ::ffff:0:0/96 is written as IPv4. */
export interface AddressRange {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

/** An address in its canonical form (RFC 5952; IPv4 where it is mapped), or null. */
export function parseAddress(text: string): string | null {
  const version = isIP(text);
  if (version === 4) return text;
  if (version === 0 || text.includes('%')) return null;
  // The URL parser shortens IPv6 the way RFC 5952 wants it.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return mappedIpv4(canonical) ?? canonical;
}

/** An address or a CIDR range, or null. */
export function parseRange(text: string): AddressRange | null {
  const [given = '', length, ...rest] = text.split('/');
  const address = parseAddress(given);
  if (address === null || rest.length > 0) return null;
  const widest = given.includes(':') ? 128 : 32;
  if (length !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(length)) return null;
  const prefix = length === undefined ? widest : Number(length);
  if (prefix > widest) return null;
  if (widest === 32) return { family: 'ipv4', address, prefix };
  if (prefix >= 96 && !address.includes(':')) return { family: 'ipv4', address, prefix: prefix - 96 };
  return { family: 'ipv6', address: address.includes(':') ? address : `::ffff:${address}`, prefix };
}

/** Whether an address lies in one of the ranges. A range that cannot be read holds nobody, nor does a text that is no address. */
export function createAddressSet(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const parsed = parseRange(range);
    if (parsed) list.addSubnet(parsed.address, parsed.prefix, parsed.family);
  }
  return (text) => {
    const address = parseAddress(text);
    return address !== null && list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
  };
}

/** The first and the last address of a range, as numbers of 128 bits. */
export function boundsOf({ family, address, prefix }: AddressRange): [first: bigint, last: bigint] {
  const free = BigInt(family === 'ipv4' ? 32 - prefix : 128 - prefix);
  const first = (numberOf(address) >> free) << free;
  return [first, first + (1n << free) - 1n];
}

/** Whether every address of `inner` is one of `outer`. */
export function isWithin(inner: AddressRange, outer: AddressRange): boolean {
  const [[first, last], [lowest, highest]] = [boundsOf(inner), boundsOf(outer)];
  return lowest <= first && last <= highest;
}

/** Whether every address of `inner` is one of `outer`: ranges that touch are one, so two halves hold the whole. */
export function areWithin(inner: readonly AddressRange[], outer: readonly AddressRange[]): boolean {
  const merged: [first: bigint, last: bigint][] = [];
  for (const [first, last] of outer.map(boundsOf).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1n) before[1] = last > before[1] ? last : before[1];
    else merged.push([first, last]);
  }
  return inner.map(boundsOf).every(([first, last]) => merged.some(([low, high]) => low <= first && last <= high));
}

/** How many addresses the ranges hold together; one that lies in several counts once. */
export function countAddresses(ranges: readonly AddressRange[]): bigint {
  const bounds = ranges.map(boundsOf).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let count = 0n;
  let next = 0n;
  for (const [first, last] of bounds) {
    const from = first > next ? first : next;
    if (last < from) continue;
    count += last - from + 1n;
    next = last + 1n;
  }
  return count;
}

/** What attempts are counted by: one IPv4 address, or the /64 that an IPv6 caller owns. */
export function addressGroup(ip: string): string {
  const address = parseAddress(ip);
  if (address === null || !address.includes(':')) return address ?? 'unknown';
  return `${wordsOf(address).slice(0, 4).join(':')}::/64`;
}

/** The /48 of an IPv6 address group; null for IPv4, where an address is rarely one of many of the same customer. */
export function networkOf(addressGroup: string): string | null {
  const parts = addressGroup.split(':');
  return parts.length > 3 ? `${parts.slice(0, 3).join(':')}::/48` : null;
}

const LOOPBACK = createAddressSet(['127.0.0.0/8', '::1']);

/** Whether a host, a name or an address, can only be this machine. */
export const isThisMachine = (host: string): boolean =>
  /^(?:.+\.)?localhost\.?$/i.test(host) || LOOPBACK(host.replace(/^\[(.*)\]$/, '$1'));

const MAPPED = 0xffffn << 32n;

function numberOf(address: string): bigint {
  if (address.includes('.') && !address.includes(':'))
    return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) | MAPPED;
  return wordsOf(new URL(`http://[${address}]`).hostname.slice(1, -1)).reduce(
    (sum, word) => (sum << 16n) | BigInt(`0x${word}`),
    0n,
  );
}

/** The eight words of a canonical IPv6 address. */
function wordsOf(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  if (tail === undefined) return left;
  const right = tail.split(':').filter(Boolean);
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
}

/** `::ffff:102:304` is 1.2.3.4. */
function mappedIpv4(address: string): string | null {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return null;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}
