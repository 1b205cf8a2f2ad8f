import { type AddressRange, countAddresses, createAddressSet, isWithin, parseRange } from '../kit/addresses.ts';

/** Whether an address is one of the trusted proxies. */
export function createProxyTrust(ranges: readonly string[]): (address: string) => boolean {
  const isTrusted = createAddressSet(ranges);
  // Proxies are few and ask for every request; strangers only push each other out.
  const known = new Map<string, boolean>();
  return (address) => {
    let verdict = known.get(address);
    if (verdict === undefined) {
      verdict = isTrusted(address);
      if (known.size >= 1000) known.clear();
      known.set(address, verdict);
    }
    return verdict;
  };
}

/** Addresses that no stranger on the Internet has: they may be trusted as a whole. */
const PRIVATE = rangesOf([
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'],
  ...['fc00::/7', 'fe80::/10', '::1'],
]);

const [IPV4, TRANSLATED] = rangesOf([
  '0.0.0.0/0',
  // Where a translator shows IPv4 callers to a server that has IPv6 only (RFC 6052).
  '64:ff9b::/96',
]) as [AddressRange, AddressRange];

/** Ten times what the widest proxy network publishes: one /8 of IPv4, one /20 of IPv6. */
const MOST_PUBLIC_IPV4 = 1n << (32n - 8n);
const MOST_PUBLIC_IPV6 = 1n << (128n - 20n);

/**
 * What is wrong with GATEHOUSE_TRUSTED_PROXIES. Ranges are judged by what they cover together: `0.0.0.0/1,128.0.0.0/1` is
 * everybody, however it is cut.
 */
export function proxyProblems(texts: readonly string[]): string[] {
  const unread = texts.filter((text) => parseRange(text) === null);
  if (unread.length > 0)
    return unread.map((text) => `GATEHOUSE_TRUSTED_PROXIES: ${text} is not an address or a CIDR range`);
  const ranges = rangesOf(texts);
  // Two CIDR ranges share nothing, or one holds the other.
  const inside = (space: AddressRange): AddressRange[] =>
    ranges.flatMap((range) => (isWithin(range, space) ? [range] : isWithin(space, range) ? [space] : []));
  const strangersIn = (some: readonly AddressRange[]): bigint =>
    countAddresses([...some, ...PRIVATE]) - countAddresses(PRIVATE);
  const ipv4 = strangersIn(inside(IPV4)) + strangersIn(inside(TRANSLATED));
  const ipv6 = strangersIn(ranges.filter((range) => range.family === 'ipv6'));
  if (ipv4 <= MOST_PUBLIC_IPV4 && ipv6 <= MOST_PUBLIC_IPV6) return [];
  return [
    'GATEHOUSE_TRUSTED_PROXIES: together the ranges hold more public addresses than one /8 of IPv4 or one /20 of IPv6, ' +
      'so strangers would be believed; name the proxies (private ranges may be named as a whole)',
  ];
}

function rangesOf(texts: readonly string[]): AddressRange[] {
  return texts.map(parseRange).filter((range) => range !== null);
}
