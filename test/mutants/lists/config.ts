import { type Mutant, noticedBy } from '../mutant.ts';

const config = noticedBy('config/config.test.ts');
const demoData = noticedBy('cli/demo-data.test.ts');
const databaseAddress = noticedBy('config/database-address.test.ts');
/** What is refused before the server starts. */
export const CONFIG: readonly Mutant[] = [
  config(
    'trusted proxies hold all of IPv4',
    'if (ipv4 <= MOST_PUBLIC_IPV4 && ipv6 <= MOST_PUBLIC_IPV6) return [];',
    'if (ipv6 <= MOST_PUBLIC_IPV6) return [];',
  ),
  config(
    'trusted proxies hold all of IPv6',
    'if (ipv4 <= MOST_PUBLIC_IPV4 && ipv6 <= MOST_PUBLIC_IPV6) return [];',
    'if (ipv4 <= MOST_PUBLIC_IPV4) return [];',
  ),
  config(
    'trusted proxies hold all of IPv4 where it is translated',
    'const ipv4 = strangersIn(inside(IPV4)) + strangersIn(inside(TRANSLATED));',
    'const ipv4 = strangersIn(inside(IPV4));',
  ),
  demoData(
    'a server starts with published passwords where strangers come',
    'if (found.length === 0) return;',
    'if (found.length >= 0) return;',
  ),
  databaseAddress(
    'sslmode=verify-full verifies the authority alone',
    "'verify-full': { encrypted: true, verify: 'host' },",
    "'verify-full': { encrypted: true, verify: 'authority' },",
  ),
  databaseAddress(
    'ssl-mode=REQUIRED connects in the clear',
    'required: { ...BLIND, atLeast: true },',
    'required: CLEAR,',
  ),
  databaseAddress('useSSL=true connects in the clear', 'usessl: flag(ENCRYPTED, CLEAR),', 'usessl: flag({}, {}),'),
  databaseAddress(
    'sslaccept=strict verifies nothing',
    "sslaccept: oneOf({ strict: { verify: 'host' }, accept_invalid_certs: { verify: 'nothing' } }),",
    "sslaccept: oneOf({ strict: { verify: 'nothing' }, accept_invalid_certs: { verify: 'nothing' } }),",
  ),
  databaseAddress(
    'words in a store address that do nothing are passed over',
    'if (unknown.length === 0) return;',
    'if (unknown.length >= 0) return;',
  ),
];
