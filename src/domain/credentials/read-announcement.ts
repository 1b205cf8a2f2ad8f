import type { CredentialTag } from './announce.ts';

/** More than a message of ours has. */
const MOST_TAGS = 1000;

/** A message that credentials changed, or null when it is none: another version or another program may have sent it. */
export function readAnnouncement(body: string): { tags: CredentialTag[]; at: number } | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { tags, at } = value as { tags?: unknown; at?: unknown };
  if (!Array.isArray(tags) || tags.length > MOST_TAGS || !tags.every((tag) => typeof tag === 'string')) return null;
  return typeof at === 'number' && Number.isFinite(at) ? { tags: tags as CredentialTag[], at } : null;
}
