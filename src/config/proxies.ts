import { BlockList, isIP } from 'node:net';

/** An address or CIDR range as BlockList takes it; null when it is neither. */
export function parseRange(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? widest : Number(bits);
  if (version === 0 || rest.length > 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > widest) return null;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Whether an address is one of the trusted proxies. */
export function createProxyTrust(ranges: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const range of ranges) {
    const parsed = parseRange(range);
    if (parsed) trusted.addSubnet(parsed.address, parsed.prefix, parsed.family);
  }
  const check = (address: string): boolean => {
    const plain = address.replace(/^::ffff:/, '');
    const version = isIP(plain);
    return version !== 0 && trusted.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
  // Proxies are few and ask for every request; strangers only push each other out.
  const known = new Map<string, boolean>();
  return (address) => {
    let verdict = known.get(address);
    if (verdict === undefined) {
      verdict = check(address);
      if (known.size >= 1000) known.clear();
      known.set(address, verdict);
    }
    return verdict;
  };
}
