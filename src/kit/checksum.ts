import { crc32 } from 'node:zlib';
import { toBase62 } from './base62.ts';

export const CHECKSUM_LENGTH = 6;

/**
 * CRC-32 of the text as 6 characters of base62, zero-padded: GitHub's scheme. It tells a mistyped or invented credential
 * from a real one without a look at any store. It proves nothing: anyone can compute it.
 */
export const checksum = (text: string): string => toBase62(crc32(text), CHECKSUM_LENGTH);
