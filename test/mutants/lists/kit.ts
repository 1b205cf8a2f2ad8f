import { type Mutant, noticedBy } from '../mutant.ts';

const seal = noticedBy('kit/seal.test.ts');
const digest = noticedBy('kit/digest.test.ts');
const cache = noticedBy('kit/tagged-cache.test.ts');
const receipt = noticedBy('tokens/receipt.test.ts');
const log = noticedBy('kit/log.test.ts');
const rotation = noticedBy('signing-keys/rotation.test.ts');
const clock = noticedBy('kit/clock.test.ts');

/** What everything else stands on. */
export const KIT: readonly Mutant[] = [
  digest(
    'texts of one length are equal',
    'return left.length === right.length && timingSafeEqual(left, right);',
    'return left.length === right.length;',
  ),
  digest(
    'digests of different purposes are the same',
    "createHmac('sha256', secret).update(`${purpose}\\0${value}`).digest('base64url');",
    "createHmac('sha256', secret).update(value).digest('base64url');",
  ),
  seal(
    'what was sealed for one place opens in another',
    'decipher.setAAD(Buffer.from(context));',
    'decipher.setAAD(Buffer.from(""));',
  ),
  seal(
    'a changed text opens all the same',
    "if (bytes.toString('base64url') !== text) throw new SealError('this is not a sealed value');",
    '',
  ),
  seal(
    'a ring for one purpose opens what another has wrapped',
    'const ring = deriveRing(secrets, `wrap:${purpose}`);',
    "const ring = deriveRing(secrets, 'wrap');",
  ),
  cache('what was read before a change is kept', 'if (before === drops) {', 'if (before <= drops) {'),
  cache(
    'the age of what is remembered counts from the end of the read',
    'const ttl = ttlMs - Math.max(0, clock.nowMs() - entry.readAtMs);',
    'const ttl = ttlMs;',
  ),
  cache('a change drops nothing', 'for (const key of [...(byTag.get(tag) ?? [])]) kept?.delete(key);', ''),
  receipt(
    'the receipt of one token opens with another',
    'const sealerOf = (token: string) => createSealer([receiptKey(token)]);',
    "const sealerOf = (_token: string) => createSealer([receiptKey('')]);",
  ),
  log(
    'credentials reach the log',
    "if (typeof value === 'string') safe = SECRET_NAMES.has(name.toLowerCase()) ? '[redacted]' : value;",
    "if (typeof value === 'string') safe = value;",
  ),
  rotation(
    'a retired key is removed while what it signed is valid',
    ".filter((key) => key.state === 'retired' && ageSeconds(key, nowMs) >= schedule.retiredSeconds)",
    ".filter((key) => key.state === 'retired')",
  ),
  rotation(
    'a key signs before verifiers know it',
    'ageSeconds(next, nowMs) >= schedule.publishedSeconds',
    'ageSeconds(next, nowMs) >= 0',
  ),
  clock(
    'an instant of the future is within a window',
    'nowMs - sinceMs < windowMs && !isFromTheFuture(sinceMs, nowMs);',
    'nowMs - sinceMs < windowMs;',
  ),
  clock(
    'what a clock that was ahead wrote lasts until then',
    'endsAtMs > nowMs && !isFromTheFuture(endsAtMs - longestMs, nowMs);',
    'endsAtMs > nowMs;',
  ),
  clock('an age is negative', 'Math.max(0, nowMs - sinceMs);', 'nowMs - sinceMs;'),
];
