import { parseAddress } from '../kit/addresses.ts';

/** A word of the query: `sslmode=require`. `key` is its name as it is compared: one spelling for `ssl-mode`, `ssl_mode` and `sslMode`. */
export interface Word {
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

/** An address of a store as it is written: `scheme://user:password@host:port/path?words`, everything decoded. */
export interface WrittenAddress {
  readonly scheme: string;
  readonly user: string | null;
  readonly password: string | null;
  /** A name, an IPv4 address, an IPv6 address without brackets, or the path of a socket. Empty: none. */
  readonly host: string;
  readonly port: number | null;
  /** Without its first slash. */
  readonly path: string;
  readonly words: readonly Word[];
}

/** Why an address cannot be used. Says no more of it than the names of its words: anything else may be part of a password. */
export class AddressError extends Error {
  override name = 'AddressError';
  readonly problems: readonly string[];

  constructor(...problems: string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

const ENCODE =
  'it cannot be read as an address; what means something in one (# % / ? @ : and blanks) is percent-encoded in user, ' +
  'password and values: # is %23, % is %25, / is %2F, ? is %3F, @ is %40';

const ADDRESS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/**
 * Reads an address by the rules of RFC 3986, which is what all drivers mean; they differ in what they make of everything else. So
 * everything else is refused. Throws AddressError.
 */
export function readAddress(text: string): WrittenAddress {
  const [, scheme = '', authority = '', path = '', query = ''] = ADDRESS.exec(text.trim()) ?? [];
  if (scheme === '' || /[\s\p{Cc}]/u.test(text.trim()) || `${path}?${query}`.includes('@'))
    throw new AddressError(ENCODE);
  const at = authority.lastIndexOf('@');
  const [, user, password] = /^([^:]*)(?::(.*))?$/.exec(at < 0 ? '' : authority.slice(0, at)) ?? [];
  return {
    scheme: scheme.toLowerCase(),
    user: user ? decoded(user) : null,
    password: password ? decoded(password) : null,
    ...readHost(authority.slice(at + 1)),
    path: decoded(path),
    words: readWords(query),
  };
}

function readHost(text: string): Pick<WrittenAddress, 'host' | 'port'> {
  if (text.includes(',')) throw new AddressError(SEVERAL);
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (parts === null) throw new AddressError(PORT);
  const [, bracketed, plain = '', port = ''] = parts;
  return { host: bracketed === undefined ? hostName(decoded(plain)) : ipv6(bracketed), port: portNumber(port) };
}

const SEVERAL = 'it names several hosts; name one, that of the primary or of a proxy';
const PORT =
  'its port is no number from 1 to 65535; an IPv6 address stands in brackets, and a / ? # or : of a password is ' +
  'percent-encoded';

/** An empty one is none, as RFC 3986 has it. */
export function portNumber(text: string): number | null {
  if (text === '') return null;
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new AddressError(PORT);
}

/** Throws when it is neither a name nor an address nor the path of a socket. */
export function hostName(text: string): string {
  if (text === '' || text.startsWith('/') || parseAddress(text) !== null) return text;
  if (text.includes(',')) throw new AddressError(SEVERAL);
  // Resolvers read 10.1 and 0x7f.1 as addresses.
  if (/^[\p{L}\p{N}_](?:[\p{L}\p{N}._-]*[\p{L}\p{N}._])?$/u.test(text) && !/^(?:0x[0-9a-f]*|[0-9.])+$/i.test(text))
    return text;
  throw new AddressError('its host is neither a name nor an address');
}

function ipv6(text: string): string {
  const address = text.includes(':') ? parseAddress(text) : null;
  if (address === null) throw new AddressError('what stands in brackets is no IPv6 address (without a zone)');
  return address;
}

function readWords(query: string): Word[] {
  const words = query
    .split('&')
    .filter(Boolean)
    .map((part): Word => {
      const [name = '', ...value] = part.split('=');
      const plain = decoded(name);
      return { name: plain, key: keyOf(plain), value: decoded(value.join('=').replaceAll('+', ' ')) };
    });
  const twice = words.find((word, index) => words.findIndex(({ key }) => key === word.key) < index);
  if (twice) throw new AddressError(`${shown(twice)} stands in it twice; write it once`);
  return words;
}

const keyOf = (name: string): string => name.toLowerCase().replaceAll(/[-_.]/g, '');

/** The name of a word, unless it looks like anything else. */
export const shown = ({ name }: Word): string => (/^[a-z][a-z0-9_.-]{0,40}$/i.test(name) ? name : 'a word after the ?');

function decoded(text: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw new AddressError(ENCODE);
  }
  if (/\p{Cc}/u.test(plain)) throw new AddressError('it holds control characters');
  return plain;
}

/** `true` or `false` in the words that are in use for them, or null. */
export function flagOf({ value }: Word): boolean | null {
  if (/^(?:true|1|yes|on)$/i.test(value)) return true;
  return /^(?:false|0|no|off)$/i.test(value) ? false : null;
}
