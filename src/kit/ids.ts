import { randomBytes, randomInt } from 'node:crypto';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function randomBase62(length: number): string {
  let out = '';
  for (let i = 0; i < length; i += 1) out += BASE62[randomInt(62)];
  return out;
}

/** A public record id: `<prefix>_` and 22 base62 characters (131 bits). It names a record and proves nothing. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBase62(22)}`;
}

/** A bearer value: 256 bits of base64url. Only `[A-Za-z0-9_-]`, so it survives Basic with and without form encoding. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
