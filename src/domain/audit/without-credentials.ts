/**
 * What strangers wrote, fit to be kept. The audit trail is read by more people than may see a credential, and a dump of the
 * database must open no door; what strangers send in is where credentials stand together, as in the report of a scanner.
 */
export interface WithoutCredentials {
  /** The text without anything that looks like a credential of ours, whole or cut off; URLs in it as `url` leaves them. */
  text(text: string): string;
  /** Scheme, host and path, which say where something is. Query, fragment and user name are where credentials stand. */
  url(text: string): string;
}

export const MASK = '***';

/** Longer texts are cut off before they are looked at. */
const MAX_LENGTH = 4096;
/** Of a credential that is cut off: too little to be guessed from, enough to be told from a word. */
const LEAST = 8;
/** What is random and this long may be a client secret, a session or a key of another system. */
const LONG_RUN = /[A-Za-z0-9_-]{32,}/g;
/** Names of files and pages, commits and UUIDs: they say where, and open nothing. */
const HARMLESS_RUN = /^(?:[0-9a-f-]+|[a-z]{1,20}(?:[-_][a-z]{1,20})*)$/;
/** The parts of a JWT. */
const MASKS = /\*{3}(?:\.?\*{3})+/g;
const URL_IN_TEXT = /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s<>"']+/gi;

/** @param keyPrefixes of the API keys of every environment: `mem_live_`. */
export function createWithoutCredentials(keyPrefixes: readonly string[]): WithoutCredentials {
  const prefixes = [...keyPrefixes, 'gat_', 'grt_', 'gac_'].join('|');
  // In any case: what stands in the name of a host is in small letters.
  const ours = new RegExp(`(?:${prefixes})[A-Za-z0-9_-]{${LEAST},}|eyJ[A-Za-z0-9_.-]{${LEAST},}`, 'gi');

  // Whole runs first: what looks like the beginning of a token in the middle of one would leave the piece before it.
  const masked = (text: string): string =>
    text
      .replace(LONG_RUN, (run) => (HARMLESS_RUN.test(run) ? run : MASK))
      .replace(ours, MASK)
      .replace(MASKS, MASK);

  function url(text: string): string {
    const parsed = URL.parse(text.slice(0, MAX_LENGTH).trim());
    // `data:…` has no place in it, only content.
    if (parsed && parsed.host === '' && parsed.protocol !== 'file:') return parsed.protocol;
    if (parsed) return masked(`${parsed.protocol}//${parsed.host}${decoded(parsed.pathname)}`);
    const [beforeQuery = ''] = text.slice(0, MAX_LENGTH).split(/[?#]/);
    return masked(decoded(beforeQuery).split('/').map(withoutUser).join('/'));
  }
  return {
    url,
    text: (text) => masked(text.slice(0, MAX_LENGTH).replace(URL_IN_TEXT, url)),
  };
}

/** Of `me:secret@host` the host. */
const withoutUser = (segment: string): string => segment.slice(segment.lastIndexOf('@') + 1);

/** A letter that is written as `%41` hides nothing from us, nor one that is written as `%2541`. */
function decoded(text: string): string {
  let read = text;
  for (let times = 0; times < 3 && read.includes('%'); times += 1) {
    try {
      read = decodeURIComponent(read);
    } catch {
      read = read.replaceAll(/%(?:[0-9a-f]{2})?/gi, (code) =>
        /^%[2-7][0-9a-f]$/i.test(code) ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : MASK,
      );
    }
  }
  return read;
}
