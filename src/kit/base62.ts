/** Digits, capitals, small letters: the order of GitHub's token checksums. */
export const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A whole number as exactly `width` characters, zero-padded. What does not fit is cut off at the front. */
export function toBase62(value: number, width: number): string {
  let rest = value;
  let out = '';
  for (let index = 0; index < width; index += 1) {
    out = BASE62.charAt(rest % 62) + out;
    rest = Math.floor(rest / 62);
  }
  return out;
}

/** Whether all of `text` from `start` on is base62. A plain loop: it runs for every request that shows a credential. */
export function isBase62(text: string, start = 0): boolean {
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const isDigit = code >= 48 && code <= 57;
    const isCapital = code >= 65 && code <= 90;
    const isSmall = code >= 97 && code <= 122;
    if (!isDigit && !isCapital && !isSmall) return false;
  }
  return true;
}
