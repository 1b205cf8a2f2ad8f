import { createHash, createHmac } from 'node:crypto';
import { expect } from 'chai';
import { createImportedDigests, hexDigestOf } from '../../../../src/domain/api-keys/imported-digests.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const digester = createDigester(Buffer.alloc(32, 7));
const hmacKey = Buffer.from('the key that the other system used');
const TEXT = 'sk-the-key-of-another-system';
const sha256 = createHash('sha256').update(TEXT).digest();
const hmac = createHmac('sha256', hmacKey).update(TEXT).digest();

describe('the digests of imported keys', () => {
  it('find a key by its text, whichever digest the other system kept', () => {
    const digests = createImportedDigests({ digester, hmacKey });
    const found = digests.importedDigestsOf(TEXT);
    expect(found).to.include(digests.stored('sha256', sha256.toString('hex')));
    expect(found).to.include(digests.stored('hmac-sha256', hmac.toString('hex')));
    expect(digests.importedDigestsOf(`${TEXT}.`)).not.to.include.members([found[0]]);
  });

  it('know nothing of an HMAC without its key', () => {
    const digests = createImportedDigests({ digester, hmacKey: null });
    expect(digests.supports('hmac-sha256')).to.equal(false);
    expect(digests.importedDigestsOf(TEXT)).to.deep.equal([digests.stored('sha256', sha256.toString('hex'))]);
  });

  it('are stored as something else than the other system kept, and apart by algorithm', () => {
    const digests = createImportedDigests({ digester, hmacKey });
    const hex = sha256.toString('hex');
    const stored = digests.stored('sha256', hex);
    expect([hex, sha256.toString('base64url')]).not.to.include(stored);
    expect(stored).not.to.equal(digests.stored('hmac-sha256', hex));
  });

  it('are read in hex and base64url, in one spelling each', () => {
    const hex = sha256.toString('hex');
    expect(hexDigestOf(hex)).to.equal(hex);
    expect(hexDigestOf(hex.toUpperCase())).to.equal(hex);
    expect(hexDigestOf(sha256.toString('base64url'))).to.equal(hex);
    const zeros = 'A'.repeat(42);
    expect(hexDigestOf(`${zeros}A`)).to.equal('0'.repeat(64));
    for (const bad of [
      `${zeros}B`,
      zeros,
      `${hex}0`,
      hex.slice(1),
      `${hex.slice(1)}g`,
      sha256.toString('base64'),
      '',
    ]) {
      expect(hexDigestOf(bad), bad).to.equal(null);
    }
  });
});
