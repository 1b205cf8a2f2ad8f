import { isBase62, toBase62 } from '../../kit/base62.ts';
import { CHECKSUM_LENGTH, checksum } from '../../kit/checksum.ts';
import { constantTimeEqual, type Digester } from '../../kit/digest.ts';
import { randomBase62 } from '../../kit/ids.ts';

/** Keys of one environment. */
export interface KeyEnvironment {
  /** How its keys begin: `mem_live_`. Ends in `_`; letters, digits and `_` only, so that a double click selects the whole key. */
  prefix: string;
  /** Whether its use is billed; usage is counted apart. */
  billable: boolean;
}

/** The keys of a product, by environment; the first one is the usual. */
export type KeyEnvironments = Readonly<Record<string, KeyEnvironment>>;

/** A full key, to be shown once, and what may be kept of it in clear. */
export interface MintedKey {
  id: string;
  text: string;
  prefix: string;
  lastFour: string;
}

export interface ParsedKey {
  id: string;
  environment: string;
}

/**
 * `{prefix}{public id, 16}{secret, 32}{checksum, 6}`, all base62 after the prefix. The last four characters of the public id
 * are a keyed tag of the others: of keys that someone made up, one in 14 million is worth a look into the database.
 */
export interface KeyFormat {
  environments: KeyEnvironments;
  /** `key_` and a public id that keys of this environment carry. */
  newId(environment: string): string;
  /** A new id with its first secret (190 bits). */
  mint(environment: string): MintedKey;
  /** Another secret for an id: the rotation of a key. */
  secretFor(id: string, environment: string): MintedKey;
  /** Null for whatever this Gatehouse did not make. No I/O; the cheap checks come first. Says nothing about the secret. */
  parse(text: string): ParsedKey | null;
  /** The same without the tag, which needs no look where the id is known to exist: for a key that is in use. */
  read(text: string): ParsedKey | null;
  /** Whether the id carries the right tag for its environment. */
  isTagged(key: ParsedKey): boolean;
  /** By the prefix alone, to word an error. */
  looksLikeKey(text: string): boolean;
  /** A regular expression for secret scanners: matches every key and next to nothing else. */
  scannerPattern(): string;
}

const RANDOM_ID_LENGTH = 12;
const TAG_LENGTH = 4;
const ID_LENGTH = RANDOM_ID_LENGTH + TAG_LENGTH;
const SECRET_LENGTH = 32;
const BODY_LENGTH = ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;
const ID_PREFIX = 'key_';

const PREFIX = /^[A-Za-z][A-Za-z0-9_]{0,30}_$/;

/** @param tagKey digests the tags under a purpose of its own. Throws RangeError for prefixes that cannot be told apart. */
export function createKeyFormat({
  environments,
  tagKey,
}: {
  environments: KeyEnvironments;
  tagKey: Digester;
}): KeyFormat {
  const known = Object.entries(environments).map(([name, { prefix }]) => ({ name, prefix }));
  const problem = prefixProblem(known.map(({ prefix }) => prefix));
  if (problem) throw new RangeError(problem);

  /** The environment is part of what is tagged: with another prefix before it, a key is nobody's. */
  function tagOf(environment: string, randomPart: string): string {
    const digest = Buffer.from(tagKey.digest('api-key-tag', `${environment}\0${randomPart}`), 'base64url');
    return toBase62(digest.readUIntBE(0, 6), TAG_LENGTH);
  }

  function prefixOf(environment: string): string {
    const found = known.find(({ name }) => name === environment);
    if (!found) throw new RangeError(`no environment ${environment} is configured`);
    return found.prefix;
  }

  function newId(environment: string): string {
    const randomPart = randomBase62(RANDOM_ID_LENGTH);
    return ID_PREFIX + randomPart + tagOf(environment, randomPart);
  }

  function secretFor(id: string, environment: string): MintedKey {
    const prefix = prefixOf(environment);
    const unchecked = prefix + id.slice(ID_PREFIX.length) + randomBase62(SECRET_LENGTH);
    const text = unchecked + checksum(unchecked);
    return { id, text, prefix, lastFour: text.slice(-4) };
  }

  function read(text: string): ParsedKey | null {
    const environment = known.find(({ prefix }) => text.startsWith(prefix));
    if (!environment) return null;
    const { name, prefix } = environment;
    if (text.length !== prefix.length + BODY_LENGTH || !isBase62(text, prefix.length)) return null;
    if (checksum(text.slice(0, -CHECKSUM_LENGTH)) !== text.slice(-CHECKSUM_LENGTH)) return null;
    return { id: ID_PREFIX + text.slice(prefix.length, prefix.length + ID_LENGTH), environment: name };
  }

  function isTagged({ id, environment }: ParsedKey): boolean {
    const publicId = id.slice(ID_PREFIX.length);
    return constantTimeEqual(tagOf(environment, publicId.slice(0, RANDOM_ID_LENGTH)), publicId.slice(RANDOM_ID_LENGTH));
  }

  return {
    environments,
    newId,
    secretFor,
    mint: (environment) => secretFor(newId(environment), environment),
    parse(text) {
      const key = read(text);
      return key && isTagged(key) ? key : null;
    },
    read,
    isTagged,
    looksLikeKey: (text) => known.some(({ prefix }) => text.startsWith(prefix)),
    scannerPattern() {
      const beginnings = known.map(({ prefix }) => prefix.slice(0, -1)).join('|');
      return `\\b(?:${beginnings})_[0-9A-Za-z]{${BODY_LENGTH}}\\b`;
    },
  };
}

/** Why these prefixes cannot be used together; null when they can. */
export function prefixProblem(prefixes: readonly string[]): string | null {
  if (prefixes.length === 0) return 'keys need at least one environment';
  for (const prefix of prefixes) {
    if (!PREFIX.test(prefix)) return `${prefix}: use letters, digits and _, a letter first and _ last, at most 32`;
  }
  for (const [index, prefix] of prefixes.entries()) {
    const other = prefixes.find((candidate, at) => at !== index && candidate.startsWith(prefix));
    if (other) return `${prefix} and ${other}: one key could be read as either, as one begins with the other`;
  }
  return null;
}
