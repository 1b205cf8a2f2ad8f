import { randomFillSync } from 'node:crypto';
import { BASE62 } from './base62.ts';

// Random bytes are drawn many at a time: a call for each id costs more than the rest of making one. Used bytes are wiped.
const pool = Buffer.alloc(4096);
let drawn = pool.length;

function refill(): void {
  randomFillSync(pool);
  drawn = 0;
}

function takeRandom(count: number): Buffer {
  if (drawn + count > pool.length) refill();
  const bytes = Buffer.from(pool.subarray(drawn, drawn + count));
  pool.fill(0, drawn, drawn + count);
  drawn += count;
  return bytes;
}

/** Each character is worth 5.95 bits. */
export function randomBase62(length: number): string {
  let out = '';
  while (out.length < length) {
    if (drawn === pool.length) refill();
    const byte = pool[drawn] as number;
    pool[drawn] = 0;
    drawn += 1;
    // 248 is the largest multiple of 62 in a byte; beyond it some characters would be likelier than others.
    if (byte < 248) out += BASE62[byte % 62];
  }
  return out;
}

/** A public record id: `<prefix>_` and 22 base62 characters (131 bits). It names a record and proves nothing. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBase62(22)}`;
}

/** A bearer value: 256 bits of base64url. Only `[A-Za-z0-9_-]`, so it survives Basic with and without form encoding. */
export function newSecret(): string {
  return takeRandom(32).toString('base64url');
}
