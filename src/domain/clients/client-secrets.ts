import { lastsUntil } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { newSecret } from '../../kit/ids.ts';
import type { Client, ClientSecret } from './client.ts';

const PURPOSE = 'client-secret';
/** How long a secret may work beside the one that replaced it. */
export const MAX_OVERLAP_SECONDS = 90 * 86_400;

export function digestSecret(digester: Digester, clientId: string, secret: string): string {
  return digester.digest(PURPOSE, `${clientId}\0${secret}`);
}

/** A new secret, to be shown once, and what is stored of it. */
export function issueSecret(
  digester: Digester,
  clientId: string,
  nowMs: number,
): { secret: string; stored: ClientSecret } {
  const secret = newSecret();
  return { secret, stored: { digest: digestSecret(digester, clientId, secret), createdAt: nowMs, expiresAt: null } };
}

/** True when `secret` is one of the client's live secrets. Compares against each of them whatever the first one says. */
export function secretMatches(digester: Digester, client: Client, secret: string, nowMs: number): boolean {
  let matched = false;
  for (const stored of client.secrets) {
    const same = digester.matches(PURPOSE, `${client.id}\0${secret}`, stored.digest);
    matched =
      (same && (stored.expiresAt === null || lastsUntil(stored.expiresAt, MAX_OVERLAP_SECONDS * 1000, nowMs))) ||
      matched;
  }
  return matched;
}

/** The secrets after a rotation: the old ones end after the overlap, those already ended are dropped. */
export function rotateSecrets(
  secrets: readonly ClientSecret[],
  next: ClientSecret,
  overlapSeconds: number,
  nowMs: number,
): ClientSecret[] {
  const endsAt = nowMs + overlapSeconds * 1000;
  const kept = secrets
    .map((secret) => ({ ...secret, expiresAt: Math.min(secret.expiresAt ?? endsAt, endsAt) }))
    .filter((secret) => secret.expiresAt > nowMs);
  return [...kept, next];
}
