import { expect } from 'chai';
import type { Client, ClientSecret } from '../../../../src/domain/clients/client.ts';
import {
  digestSecret,
  issueSecret,
  rotateSecrets,
  secretMatches,
} from '../../../../src/domain/clients/client-secrets.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const digester = createDigester(Buffer.alloc(32, 3));
const NOW = 1_800_000_000_000;
const clientWith = (...secrets: ClientSecret[]): Client => ({ id: 'notes', secrets }) as unknown as Client;

describe('a client secret', () => {
  it('is stored as a digest only, bound to its client', () => {
    const { secret, stored } = issueSecret(digester, 'notes', NOW);
    expect(secret).to.match(/^[A-Za-z0-9_-]{43}$/);
    expect(JSON.stringify(stored)).to.not.contain(secret);
    expect(stored).to.include({ createdAt: NOW, expiresAt: null });
    expect(digestSecret(digester, 'other', secret)).to.not.equal(stored.digest);
  });

  it('matches while it lives, and no longer', () => {
    const { secret, stored } = issueSecret(digester, 'notes', NOW);
    expect(secretMatches(digester, clientWith(stored), secret, NOW)).to.equal(true);
    const ending = { ...stored, expiresAt: NOW + 1000 };
    expect(secretMatches(digester, clientWith(ending), secret, NOW + 999)).to.equal(true);
    expect(secretMatches(digester, clientWith(ending), secret, NOW + 1000)).to.equal(false);
    const neverMeant = { ...stored, expiresAt: NOW + 365 * 86_400_000 };
    expect(secretMatches(digester, clientWith(neverMeant), secret, NOW), 'an end set by a clock far ahead').to.equal(
      false,
    );
    for (const wrong of ['', `${secret}x`, secret.slice(1), stored.digest])
      expect(secretMatches(digester, clientWith(stored), wrong, NOW)).to.equal(false);
    expect(secretMatches(digester, clientWith(), secret, NOW)).to.equal(false);
  });

  it('matches wherever it stands among several', () => {
    const secrets = [1, 2, 3].map(() => issueSecret(digester, 'notes', NOW));
    const client = clientWith(...secrets.map(({ stored }) => stored));
    for (const { secret } of secrets) expect(secretMatches(digester, client, secret, NOW)).to.equal(true);
  });
});

describe('the rotation of client secrets', () => {
  const secret = (expiresAt: number | null, digest = String(expiresAt)): ClientSecret => ({
    digest,
    createdAt: NOW,
    expiresAt,
  });
  const next = secret(null, 'next');

  it('lets the old one work until the overlap ends', () => {
    expect(rotateSecrets([secret(null, 'old')], next, 3600, NOW)).to.deep.equal([
      { ...secret(NOW + 3_600_000, 'old') },
      next,
    ]);
  });

  it('without an overlap ends the old ones at once', () => {
    expect(rotateSecrets([secret(null, 'old'), secret(NOW + 9_999_999, 'older')], next, 0, NOW)).to.deep.equal([next]);
  });

  it('never makes a secret live longer than it would have', () => {
    const soon = secret(NOW + 60_000, 'soon');
    expect(rotateSecrets([soon], next, 3600, NOW)).to.deep.equal([soon, next]);
  });

  it('drops what has ended already', () => {
    expect(rotateSecrets([secret(NOW - 1, 'gone'), secret(NOW, 'just gone')], next, 3600, NOW)).to.deep.equal([next]);
  });
});
