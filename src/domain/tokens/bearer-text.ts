import { constantTimeEqual, type Digester } from '../../kit/digest.ts';

export const BEARER_PREFIXES = ['gat_', 'grt_', 'gac_'] as const;
export type BearerPrefix = (typeof BEARER_PREFIXES)[number];

/**
 * The text of opaque tokens and codes: `{prefix}{random, 37}{tag, 6}`, base64url after the prefix. The tag is keyed, so that a made-up
 * one is known without a look-up: of those that someone makes up one in 69 thousand million costs anything. It proves no more than that.
 */
export interface BearerText {
  /** @param random at least 37 characters of base64url; 222 bits of it are used. */
  make(prefix: BearerPrefix, random: string): string;
  isOurs(text: string): boolean;
}

const RANDOM_LENGTH = 37;
const TAG_LENGTH = 6;
const TEXT = /^g[art][tc]_[A-Za-z0-9_-]{43}$/;

export function createBearerText({ digester }: { digester: Digester }): BearerText {
  const tagOf = (start: string): string => digester.digest('bearer-text', start).slice(0, TAG_LENGTH);
  return {
    make(prefix, random) {
      const start = prefix + random.slice(0, RANDOM_LENGTH);
      return start + tagOf(start);
    },
    isOurs(text) {
      return TEXT.test(text) && constantTimeEqual(text.slice(-TAG_LENGTH), tagOf(text.slice(0, -TAG_LENGTH)));
    },
  };
}
