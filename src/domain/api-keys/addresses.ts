import { BlockList, isIP } from 'node:net';

export const MAX_ALLOWED_ADDRESSES = 50;

/** Why this is neither an address nor a CIDR range; null when it is one. */
export const addressProblem = (text: string): string | null =>
  parseRange(text) ? null : `${text.slice(0, 64)} is neither an IP address nor a CIDR range`;

/** By the list itself: the resolver remembers keys, so a list is compiled once for as long as its key is remembered. */
const compiled = new WeakMap<readonly string[], BlockList>();

/** Whether a key with these ranges may be used from an address; with none, from everywhere. */
export function isAllowedAddress(address: string, ranges: readonly string[]): boolean {
  if (ranges.length === 0) return true;
  // A socket that listens on IPv6 shows IPv4 callers like this.
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '');
  const family = familyOf(plain);
  if (family === null) return false;
  const list = compiled.get(ranges) ?? compile(ranges);
  compiled.set(ranges, list);
  return list.check(plain, family);
}

function compile(ranges: readonly string[]): BlockList {
  const allowed = new BlockList();
  for (const range of ranges) {
    const parsed = parseRange(range);
    // A range that cannot be read allows nobody.
    if (parsed) allowed.addSubnet(parsed.address, parsed.bits, parsed.family);
  }
  return allowed;
}

function parseRange(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', length, ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === null || rest.length > 0) return null;
  const widest = family === 'ipv4' ? 32 : 128;
  if (length === undefined) return { address, bits: widest, family };
  const bits = /^(?:0|[1-9][0-9]{0,2})$/.test(length) ? Number(length) : Number.NaN;
  return bits <= widest ? { address, bits, family } : null;
}

/** A zone (`fe80::1%eth0`) means something on one machine only. */
function familyOf(address: string): 'ipv4' | 'ipv6' | null {
  const version = address.includes('%') ? 0 : isIP(address);
  return version === 0 ? null : version === 4 ? 'ipv4' : 'ipv6';
}
