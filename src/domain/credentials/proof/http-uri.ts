/**
 * Whether two URLs name the same resource, whatever their query and fragment say (RFC 9449 4.3, item 9), after the
 * normalization of RFC 3986 6.2.2 and 6.2.3: case of scheme and host, default port, dot segments, needless percent-encoding.
 */
export function isSameHttpUri(a: string, b: string): boolean {
  const left = normalized(a);
  return left !== null && left === normalized(b);
}

function normalized(text: string): string | null {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  return url.origin + url.pathname.replace(/%[0-9a-f]{2}/gi, plain);
}

/** Unreserved characters stand for themselves; the rest has one spelling (RFC 3986 2.3, 6.2.2.1). */
function plain(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase();
}
