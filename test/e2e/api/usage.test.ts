import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startLoad } from '../../support/e2e-load.ts';
import { createWorld, describeOn, type Node, type World } from '../../support/e2e-world.ts';
import { type ApiCalls, createApiCalls, type NewKey, type SignedIn, verifyMany } from './api-calls.ts';

const CALLS = 10_000;
/** Seconds between two flushes of a process, and what a busy machine adds. */
const FLUSH = 5;
const SLACK = 1.5;

interface Usage {
  totals: { allowed: number; refused: number; billable: number; free: number };
  keys: { key_id: string; environment: string; allowed: number; refused: number; last_used_at: string | null }[];
}

describeOn(['PostgreSQL', 'MariaDB', 'SQLite'], 'usage that two processes count', (setup) => {
  let world: World;
  let calls: ApiCalls;
  let person: SignedIn;
  let nodes: [Node, Node];

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this, { env: { LOG_LEVEL: 'warn' } });
    nodes = await start();
    calls = createApiCalls(world);
    person = await calls.newPerson(nodes[0]);
  });
  after(() => world?.close());

  /** Two that know nothing of each other; on SQLite the workers of one. */
  async function start(): Promise<[Node, Node]> {
    if (setup !== 'SQLite') return [await world.start(), await world.start()];
    const both = await world.start({ env: { WEB_CONCURRENCY: '2' } });
    return [both, both];
  }

  async function usage(node: Node): Promise<Usage> {
    const asked = calls.ask(node, 'GET', '/v1/usage', { credential: person.accessToken });
    return (await calls.must(200, asked)).body;
  }
  const ofKey = ({ keys }: Usage, { id }: NewKey) => keys.find(({ key_id: of }) => of === id);

  it(`is exact after SIGTERM: ${CALLS} calls, each counted once, with few writes`, async function () {
    this.timeout(60_000);
    const live = await calls.createKey(nodes[0], person);
    const test = await calls.createKey(nodes[0], person, { environment: 'test' });
    const limited = await calls.createKey(nodes[0], person, { limit: { quota: 10, window_seconds: 3600 } });
    const sent = async (): Promise<number> => {
      const counts = nodes.map((node) => calls.metric(node, 'gatehouse_sql_statements_total'));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    };
    const before = await sent();
    const mixed = Array.from({ length: CALLS }, (_, index) => (index % 4 === 0 ? test : live).text);
    const halves = [mixed.slice(0, CALLS / 2), mixed.slice(CALLS / 2)];
    const outcomes = await Promise.all(
      nodes.map((node, index) => verifyMany(node.port, world.issuer, halves[index] ?? [])),
    );
    expect(outcomes).to.deep.equal([{ 200: CALLS / 2 }, { 200: CALLS / 2 }]);
    const writes = (await sent()) - before;
    console.log(`        ${CALLS} calls cost ${writes} statements`);
    expect(writes).to.be.lessThan(CALLS / 50);
    // Without Redis each of these is a statement: apart from the others.
    expect(await verifyMany(nodes[0].port, world.issuer, Array(30).fill(limited.text))).to.deep.equal({
      200: 10,
      429: 20,
    });

    // And a load that is still going on when they are told to end: what was answered counts, whatever came of the rest.
    const busy = await calls.createKey(nodes[0], person);
    const load = startLoad({
      callers: 8,
      pauseMs: 1,
      untilRefused: true,
      ask: (caller) => calls.verify(nodes[caller % 2] as Node, busy.text),
    });
    await sleep(500);
    expect(await Promise.all(nodes.map((node) => node.stop()))).to.deep.equal([0, 0]);
    await load.stop();
    expect(Object.keys(load.outcomes())).to.deep.equal(['200']);

    nodes = await start();
    const counted = await usage(nodes[0]);
    expect(ofKey(counted, live)).to.include({ environment: 'live', allowed: (CALLS * 3) / 4, refused: 0 });
    expect(ofKey(counted, test)).to.include({ environment: 'test', allowed: CALLS / 4, refused: 0 });
    expect(ofKey(counted, limited)).to.include({ allowed: 10, refused: 20 });
    expect(ofKey(counted, busy)).to.include({ allowed: load.outcomes()[200] });
    const { totals } = counted;
    expect(totals.free).to.equal(CALLS / 4);
    expect(totals.billable).to.equal(totals.allowed - totals.free);
    for (const { last_used_at: at } of counted.keys) {
      expect(Date.now() - Date.parse(at ?? '')).to.be.within(0, 60_000);
    }
  });

  // The rest is the same on every database.
  if (setup !== 'PostgreSQL') return;

  it('loses no more than what came since the last flush when a process is killed', async function () {
    this.timeout(60_000);
    const key = await calls.createKey(nodes[0], person);
    const [killed, other] = nodes;
    await verifyMany(killed.port, world.issuer, Array(700).fill(key.text));
    await sleep((FLUSH + SLACK) * 1000);
    await verifyMany(killed.port, world.issuer, Array(300).fill(key.text));
    await verifyMany(other.port, world.issuer, Array(200).fill(key.text));
    await killed.kill();
    await sleep((FLUSH + SLACK) * 1000);
    expect(ofKey(await usage(other), key)?.allowed).to.be.within(900, 1200);
  });
});
