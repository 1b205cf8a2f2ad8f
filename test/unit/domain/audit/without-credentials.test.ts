import { expect } from 'chai';
import fc from 'fast-check';
import { createWithoutCredentials } from '../../../../src/domain/audit/without-credentials.ts';
import { newSecret, randomBase62 } from '../../../../src/kit/ids.ts';

const { url, text } = createWithoutCredentials(['gh_live_', 'gh_test_']);

/** One of each kind that this server hands out. */
const credentials = (): Record<string, string> => ({
  'an API key': `gh_live_${randomBase62(54)}`,
  'one of another environment': `gh_test_${randomBase62(54)}`,
  'a part of one': `gh_live_${randomBase62(20)}`,
  'an access token': `gat_${newSecret()}`,
  'a refresh token': `grt_${newSecret()}`,
  'a code': `gac_${newSecret()}`,
  'a JWT': `eyJhbGciOiJFUzI1NiJ9.${Buffer.from(`{"sub":"${newSecret()}"}`).toString('base64url')}.${newSecret()}`,
  'a client secret, or a session': newSecret(),
});
/** Pieces that would give one away. */
const giveaways = (credential: string) =>
  Array.from({ length: Math.max(1, credential.length - 12) }, (_, at) => credential.slice(at, at + 12)).filter(
    (piece) => !/^(?:gh_(?:live|test)_|eyJhbGciOiJ)/.test(piece),
  );

describe('what strangers wrote, without credentials', () => {
  it('keeps scheme, host and path of a URL, and nothing else', () => {
    expect(url('https://user:hunter2hunter2@paste.test:8443/a/b.env?access_token=x&pw=hunter2#frag')).to.equal(
      'https://paste.test:8443/a/b.env',
    );
    const commit = `https://git.test/a/b/blob/${'0123456789abcdef'.repeat(3).slice(0, 40)}/src/how-we-leaked-all-of-our-keys.md`;
    expect(url(commit)).to.equal(commit);
    expect(url('data:text/plain,hunter2')).to.equal('data:');
    expect(url('not a url?token=hunter2')).to.equal('not a url');
    expect(url('//me:hunter2@paste.test/a#hunter2')).to.equal('//paste.test/a');
    expect(url('')).to.equal('');
  });

  it('holds no credential of ours, wherever it stands and however it is written', () => {
    for (let round = 0; round < 20; round += 1) {
      for (const [kind, credential] of Object.entries(credentials())) {
        const encoded = [...credential].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
        const results = [
          url(`https://paste.test/a/${credential}`),
          url(`https://paste.test/a/x${credential}/b`),
          url(`https://paste.test/a/${encoded}`),
          url(`https://paste.test/a/%zz${encoded}`),
          url(`https://paste.test/a/${encoded.replaceAll('%', '%25')}`),
          url(`https://paste.test/a;token=${credential}`),
          url(`https://paste.test/?x=${credential}&y=${credential}#${credential}`),
          url(`https://${credential}@paste.test/`),
          url(`https://${credential}.paste.test/`),
          url(`nonsense ${credential}`),
          text(`the scanner found ${credential} and "${credential}"`),
          text(`at https://paste.test/${credential}?also=${credential}, see there`),
        ];
        for (const result of results) {
          const pieces = [...giveaways(credential), ...giveaways(credential.toLowerCase())];
          expect(
            pieces.filter((piece) => result.includes(piece)),
            `${kind}: ${result}`,
          ).to.deep.equal([]);
        }
      }
    }
  });

  it('masks a long credential as a whole, though a piece of it looks like the beginning of a token', () => {
    const credential = `Zk3vQ8rT1wLpeyjHw7Np2Xc5Bd9Gf4Js6Km0QaYuWi`;
    expect(url(`https://paste.test/a/${credential}`)).to.equal('https://paste.test/a/***');
    expect(text(`found ${credential}.`)).to.equal('found ***.');
  });

  it('leaves plain words alone', () => {
    const words = 'GitHub secret scanning, partner program 2026-11-28, alert 4711';
    expect(text(words)).to.equal(words);
  });

  it('is quick and never fails, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 3000, unit: 'binary' }), (given) => {
        url(given);
        text(given);
      }),
    );
    const started = performance.now();
    for (const hostile of [
      '*'.repeat(1e6),
      'a'.repeat(1e6),
      '%'.repeat(1e6),
      '@'.repeat(1e6),
      'a://'.repeat(1e5),
      '-_'.repeat(1e6),
    ]) {
      url(hostile);
      text(hostile);
    }
    expect(performance.now() - started).to.be.lessThan(1000);
  });
});
