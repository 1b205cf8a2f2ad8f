import { createHash, createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createKeyFormat } from '../../../src/domain/api-keys/key-format.ts';
import { checksum } from '../../../src/kit/checksum.ts';
import { randomBase62 } from '../../../src/kit/ids.ts';
import { createClientFlows, tokenOf } from '../../support/client-flows.ts';
import { CALLBACK, createParties } from '../../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, type World } from '../../support/e2e-world.ts';
import { type ApiCalls, createApiCalls, type SignedIn, tally, verifyMany } from './api-calls.ts';

const FLOOD = 20_000;
const ADDRESSES = 5000;
const PER_SECOND = 100;
/** Statements: what may be left over from a quiet second before, and what the process looks after by itself meanwhile. */
const BESIDES = PER_SECOND + 30;
const IMPORTED = 3000;
const HMAC_KEY = 'the key under which another system kept its keys';

/** The checksum is for everybody to compute. */
function madeUp(): string {
  const text = `gh_live_${randomBase62(48)}`;
  return text + checksum(text);
}

describeOn(['PostgreSQL and Redis'], 'a flood of made-up credentials', (setup) => {
  let world: World;
  let node: Node;
  let calls: ApiCalls;
  let person: SignedIn;

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this, {
      env: {
        GATEHOUSE_IMPORT_HMAC_KEY: HMAC_KEY,
        GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
        GATEHOUSE_JOBS: 'off',
        LOG_LEVEL: 'warn',
      },
    });
    node = await world.start();
    calls = createApiCalls(world);
    person = await calls.newPerson(node);
  });
  after(() => world?.close());

  const statements = (): Promise<number> => calls.metric(node, 'gatehouse_sql_statements_total');
  const importLine = (text: string, digest: string, algorithm = 'sha256'): string =>
    JSON.stringify({ owner: person.email, name: `import ${text.slice(0, 8)}`, digest, algorithm });

  /** How many statements a second the process sent while `work` went on. */
  async function duringFlood(work: () => Promise<Record<string, number>>): Promise<Record<string, number>> {
    const warm = await calls.createKey(node, person);
    expect((await calls.verify(node, warm.text)).status).to.equal(200);
    const [before, started] = [await statements(), performance.now()];
    let flooding = true;
    const asked: { status: number; ms: number }[] = [];
    const warmUse = (async () => {
      while (flooding) {
        asked.push(await calls.verify(node, warm.text));
        await sleep(20);
      }
    })();
    const outcomes = await work();
    flooding = false;
    await warmUse;
    const seconds = (performance.now() - started) / 1000;
    const sent = (await statements()) - before;
    const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
    const rate = Math.round(total / seconds);
    console.log(`        ${rate} a second, ${JSON.stringify(outcomes)}; ${sent} statements in ${seconds.toFixed(1)} s`);
    const times = asked.map(({ ms }) => ms).sort((one, other) => one - other);
    console.log(`        the warm key meanwhile: median ${times[times.length >> 1]?.toFixed(1)} ms of ${times.length}`);
    expect(sent).to.be.at.most(seconds * PER_SECOND + BESIDES);
    expect(Object.keys(tally(asked))).to.deep.equal(['200']);
    return outcomes;
  }

  it('that look like ours, with the right checksum, costs no lookup at all', async function () {
    this.timeout(60_000);
    const keys = Array.from({ length: FLOOD }, madeUp);
    const outcomes = await duringFlood(() => verifyMany(node.port, world.issuer, keys));
    expect(outcomes).to.deep.equal({ 401: FLOOD });
  });

  it('whose ids even carry a right tag, as one in millions does, finds nothing and pushes no warm key out', async () => {
    // As if the key of the tags had leaked: the worst case.
    const { digester, product } = await world.services();
    const format = createKeyFormat({ environments: product.dialect.keys.environments, tagKey: digester });
    const keys = Array.from({ length: 500 }, () => format.mint('live').text);
    expect(await verifyMany(node.port, world.issuer, keys)).to.deep.equal({ 401: keys.length });
  });

  it('from thousands of addresses fills neither the database nor the audit trail', async function () {
    this.timeout(60_000);
    const keys = Array.from({ length: ADDRESSES }, madeUp);
    const headersOf = (index: number): string =>
      `X-Forwarded-For: 10.${index >> 14}.${(index >> 7) & 127}.${index & 127}\r\n`;
    const outcomes = await duringFlood(() => verifyMany(node.port, world.issuer, keys, { headersOf }));
    expect(outcomes).to.deep.equal({ 401: ADDRESSES });
  });

  it('that look like keys of another system, while some of these were imported, is not looked up either', async function () {
    this.timeout(60_000);
    const known = `sk-${randomBytes(24).toString('base64url')}`;
    const digest = createHash('sha256').update(known).digest('hex');
    await world.cliJson(['api-key', 'import'], { input: importLine(known, digest) });
    expect((await calls.verify(node, known)).status).to.equal(200);
    const texts = Array.from({ length: FLOOD }, () => `sk-${randomBytes(24).toString('base64url')}`);
    const outcomes = await duringFlood(() => verifyMany(node.port, world.issuer, texts, { connections: 40 }));
    expect(Object.keys(outcomes)).to.have.members(['401', '503']);
    expect((await calls.verify(node, known)).status).to.equal(200);
  });

  describe('is told from', () => {
    it('the real ones that all come at once after a start', async function () {
      this.timeout(60_000);
      const parties = await createParties(await world.services());
      const flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
      const issue = (): Promise<string> =>
        flows.clientCredentials(node.fetch, parties.opaque).then((answer) => tokenOf(answer, 'access_token'));
      const tokens: string[] = [];
      while (tokens.length < 400) tokens.push(...(await Promise.all(Array.from({ length: 20 }, issue))));
      const answers = await Promise.all(tokens.map((token) => calls.verify(node, token)));
      expect(tally(answers)).to.deep.equal({ 200: tokens.length });
    });

    it(`${IMPORTED} keys that were just imported, by SHA-256 and by HMAC: each is good within 5 s`, async function () {
      this.timeout(90_000);
      const texts = Array.from({ length: IMPORTED }, () => `sk-${randomBytes(24).toString('base64url')}`);
      const lines = texts.map((text, index) =>
        index % 2 === 0
          ? importLine(text, createHash('sha256').update(text).digest('hex'))
          : importLine(text, createHmac('sha256', HMAC_KEY).update(text).digest('base64url'), 'hmac-sha256'),
      );
      const outcome = await world.cliJson(['api-key', 'import'], { input: lines.join('\n') });
      expect(outcome).to.deep.include({ imported: IMPORTED, alreadyImported: 0 });
      const ended = performance.now();
      let left = texts;
      let seen: Record<string, number> = {};
      while (left.length > 0) {
        const answers: { text: string; status: number }[] = [];
        // As many at once as a busy server has.
        for (let at = 0; at < left.length; at += 250) {
          const batch = left.slice(at, at + 250).map(async (text) => {
            const { status } = await calls.verify(node, text);
            return { text, status };
          });
          answers.push(...(await Promise.all(batch)));
        }
        seen = tally(answers);
        left = answers.filter(({ status }) => status !== 200).map(({ text }) => text);
        const seconds = (performance.now() - ended) / 1000;
        console.log(`        ${JSON.stringify(seen)} after ${seconds.toFixed(1)} s`);
        if (left.length > 0) expect(seconds, JSON.stringify(seen)).to.be.lessThan(5);
      }
    });
  });
});
