import { expect } from 'chai';
import { toBase62 } from '../../../src/kit/base62.ts';
import { checksum } from '../../../src/kit/checksum.ts';
import { randomBytes } from '../../../src/kit/random.ts';
import { isAccepted, type MadeKey, newKey, newPerson, type Person, verify } from '../../support/api-client.ts';
import { API, createClient, createResource, obtainTokens, type TestClient } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

/** What answering "who is this?" costs the database. The numbers are exact, so that a change is a decision. */
describe('verify in SQL statements', () => {
  let harness: Harness;
  let ada: Person;
  let web: TestClient;
  let opaque: { identifier: string };
  before(async () => {
    harness = await startHarness();
    // No more reading of the signing keys every two seconds, nor writing of what was counted.
    harness.app.stop();
    await harness.services.usage.stop();
    ada = await newPerson(harness);
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function costOf(run: () => Promise<unknown>): Promise<number> {
    const { counters } = harness.services.stores;
    const before = counters.sqlStatements();
    await run();
    return counters.sqlStatements() - before;
  }
  async function accepted(reply: Promise<Reply>): Promise<void> {
    const { status, text } = await reply;
    if (status !== 200) throw new Error(`${status} ${text}`);
  }
  const tokenFor = async (resource: string): Promise<string> =>
    (await obtainTokens(harness, web, { who: ada, scope: 'openid read', resource })).access_token;

  it('costs one for a key that nobody asked about lately, at whichever door', async () => {
    const doors: ((key: string) => Promise<Reply>)[] = [
      (key) => verify(harness, key),
      (key) => harness.get('/forward-auth', { 'x-api-key': key }),
      (key) => harness.get('/v1/auth/verify', { authorization: `Bearer ${key}` }),
    ];
    for (const door of doors) {
      const { key } = await newKey(harness, ada);
      expect(await costOf(() => accepted(door(key)))).to.equal(1);
      expect(await costOf(() => accepted(door(key)))).to.equal(0);
    }
  });

  it('costs little for a token that nobody asked about lately', async () => {
    const cold = {
      // The account and the session.
      login: (await newPerson(harness)).token,
      // Whether it or its grant was revoked, its client and the account.
      jwt: await tokenFor(API),
      // The token, its grant and session, its client and the account.
      opaque: await tokenFor(opaque.identifier),
    };
    const costs: Record<string, number> = {};
    for (const [kind, credential] of Object.entries(cold)) {
      costs[kind] = await costOf(() => accepted(verify(harness, credential)));
    }
    expect(costs).to.deep.equal({ login: 2, jwt: 3, opaque: 5 });
  });

  it('costs one for 50 who ask about the same key at once', async () => {
    const { key } = await newKey(harness, ada);
    const cost = await costOf(() => Promise.all(Array.from({ length: 50 }, () => accepted(verify(harness, key)))));
    expect(cost).to.equal(1);
  });

  it('costs nothing for what is warm: a key, a login, a JWT, an opaque token', async () => {
    const warm = [(await newKey(harness, ada)).key, ada.token, await tokenFor(API), await tokenFor(opaque.identifier)];
    for (const credential of warm) {
      await accepted(verify(harness, credential));
      const cost = await costOf(async () => {
        for (let i = 0; i < 20; i += 1) {
          await accepted(verify(harness, credential));
          await accepted(harness.get('/forward-auth?scope=read&audience=*', { authorization: `Bearer ${credential}` }));
        }
      });
      expect(cost, credential.slice(0, 8)).to.equal(0);
    }
  });

  it('costs nothing for a malformed key or token, nor for a key that is refused again', async () => {
    const { key } = await newKey(harness, ada);
    await verify(harness, 'garbage');
    const cost = await costOf(async () => {
      for (const credential of [
        `${key}x`,
        key.slice(1),
        'eyJ.e.x',
        `${ada.token.slice(0, -2)}`,
        'gat_short',
        '\u0000',
      ]) {
        expect((await verify(harness, credential)).status).to.equal(401);
      }
    });
    // Each new reason is one event in the audit trail, once a minute.
    expect(cost).to.be.at.most(2);
    const mixed = key.slice(0, 24) + 'A'.repeat(32);
    await verify(harness, mixed + checksum(mixed));
    expect(await costOf(() => verify(harness, mixed + checksum(mixed)))).to.equal(0);
  });

  describe('under a flood of made-up keys, well-formed and each another one', () => {
    const madeUp = (): string => {
      const digits = Array.from({ length: 6 }, () => toBase62(randomBytes(6).readUIntBE(0, 6), 8)).join('');
      const unchecked = `gh_live_${digits}`;
      return unchecked + checksum(unchecked);
    };

    it('asks the database nothing, and forgets no key that is in use', async function () {
      this.timeout(120_000);
      const warm: MadeKey = await newKey(harness, ada);
      const sample = madeUp();
      expect([sample.length, harness.services.keyFormat.looksLikeKey(sample)]).to.deep.equal([warm.key.length, true]);
      expect(await isAccepted(harness, warm.key)).to.equal(true);
      await verify(harness, sample);
      const started = performance.now();
      const cost = await costOf(async () => {
        for (let round = 0; round < 50; round += 1) {
          const replies = await Promise.all(
            Array.from({ length: 200 }, () => harness.get('/forward-auth', { 'x-api-key': madeUp() })),
          );
          for (const { status } of replies) expect(status).to.equal(401);
          // In use: asked about all the time, and read anew when what is known of it is five seconds old.
          await accepted(verify(harness, warm.key));
        }
      });
      const seconds = (performance.now() - started) / 1000;
      // Every five seconds: the warm key, and whether there are imported keys.
      expect(cost).to.be.at.most(2 * Math.ceil(seconds / 5));
      await verify(harness, warm.key);
      expect(await costOf(() => accepted(verify(harness, warm.key)))).to.equal(0);
    });

    it('asks it at most 100 times a second about made-up tokens, and refuses none that exists', async () => {
      const real = await tokenFor(opaque.identifier);
      const started = performance.now();
      const cost = await costOf(async () => {
        const replies = await Promise.all(
          Array.from({ length: 2000 }, () =>
            harness.get('/forward-auth', { authorization: `Bearer gat_${randomBytes(32).toString('base64url')}` }),
          ),
        );
        for (const { status } of replies) expect(status).to.be.oneOf([401, 503]);
      });
      const seconds = (performance.now() - started) / 1000;
      expect(cost).to.be.at.most(100 * (1 + seconds) + 5);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await isAccepted(harness, real)).to.equal(true);
    });
  });
});
