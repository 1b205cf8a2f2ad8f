import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import {
  type ClientFlows,
  createClientFlows,
  createUserAgent,
  newVerifier,
  type Page,
  type Stop,
  type TokenAnswer,
  tokenOf,
  USER,
  type UserAgent,
} from '../support/client-flows.ts';
import type { Fetch } from '../support/e2e-fetch.ts';
import { CALLBACK, createParties, createUser, type Parties } from '../support/e2e-parties.ts';
import { ALL_SETUPS, createWorld, describeOn, type Node, type World } from '../support/e2e-world.ts';

const CROWD = 50;
const GRACE_SECONDS = 3;

/** Half of the crowd asks one process, half the other. */
describeOn(ALL_SETUPS, 'two processes on one store', (setup) => {
  let world: World;
  let parties: Parties;
  let flows: ClientFlows;
  let browser: UserAgent;
  let nodes: [Node, Node];
  /** The same store without a grace window. */
  let strict: [Node, Node];

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this, { env: { GATEHOUSE_REFRESH_GRACE: `${GRACE_SECONDS}s` } });
    const first = await world.start();
    const withoutGrace = { env: { GATEHOUSE_REFRESH_GRACE: '0' } };
    const [second, third, fourth] = await Promise.all([
      world.start(),
      world.start(withoutGrace),
      world.start(withoutGrace),
    ]);
    nodes = [first, second];
    strict = [third, fourth];
    parties = await createParties(await world.services());
    flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    browser = createUserAgent(first.fetch, world.issuer);
  });
  after(() => world?.close());

  const crowd = <T>(between: readonly Node[], ask: (node: Node, index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: CROWD }, (_, i) => ask(between[i % between.length] as Node, i)));

  /** How often each outcome came: `200`, `400 invalid_grant`. */
  function tally(answers: readonly TokenAnswer[]): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { status, body } of answers) {
      const outcome = [status, body.error].filter(Boolean).join(' ');
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return counts;
  }

  const pageOf = (stop: Stop): Page => {
    if ('left' in stop) throw new Error(`no page but ${stop.left.href}`);
    return stop.page;
  };

  const winnerOf = (answers: readonly TokenAnswer[]): TokenAnswer => {
    const winner = answers.find(({ status }) => status === 200);
    if (!winner) throw new Error('nobody won');
    return winner;
  };

  async function expectDead(answer: TokenAnswer): Promise<void> {
    for (const node of nodes) {
      expect(await flows.isActive(node.fetch, parties.jwtApi, tokenOf(answer, 'access_token'))).to.equal(false);
      expect(await flows.isActive(node.fetch, parties.basic, tokenOf(answer, 'refresh_token'))).to.equal(false);
    }
  }

  it('redeem one code once, and end its grant', async () => {
    // Several times: the first crowd opens its connections one after the other.
    for (let round = 0; round < 3; round += 1) {
      const issued = await flows.code(browser, parties.basic.id);
      const answers = await crowd(nodes, (node) => flows.redeem(node.fetch, parties.basic, issued));
      expect(tally(answers)).to.deep.equal({ 200: 1, '400 invalid_grant': CROWD - 1 });
      await expectDead(winnerOf(answers));
    }
  });

  it('accept one client assertion once', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { id, privateKey } = parties.jwt;
    if (!privateKey) throw new Error('no key');
    const assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'first' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(world.issuer)
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(privateKey);
    const answers = await crowd(nodes, (node) =>
      flows.clientCredentials(node.fetch, parties.jwt, {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    );
    expect(tally(answers)).to.deep.equal({ 200: 1, '401 invalid_client': CROWD - 1 });
  });

  /** Of a grant of its own: the other tests end theirs. */
  let rotated: { token: string; winner: TokenAnswer; successor: TokenAnswer; atMs: number };

  it('give one successor to every refresh within the grace window', async () => {
    const [near, far] = nodes;
    const issued = await flows.code(createUserAgent(near.fetch, world.issuer), parties.basic.id);
    const token = tokenOf(await flows.redeem(near.fetch, parties.basic, issued), 'refresh_token');
    const answers = await crowd(nodes, (node) => flows.refresh(node.fetch, parties.basic, token));
    const atMs = Date.now();
    expect(tally(answers)).to.deep.equal({ 200: CROWD });
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).to.equal(1);
    const winner = winnerOf(answers);
    const successor = await flows.refresh(far.fetch, parties.basic, tokenOf(winner, 'refresh_token'));
    expect(successor.status).to.equal(200);
    rotated = { token, winner, successor, atMs };
  });

  it('let one refresh pass where there is no grace window, and end the family', async () => {
    const first = await flows.redeem(strict[0].fetch, parties.basic, await flows.code(browser, parties.basic.id));
    const token = tokenOf(first, 'refresh_token');
    const answers = await crowd(strict, (node) => flows.refresh(node.fetch, parties.basic, token));
    expect(tally(answers)).to.deep.equal({ 200: 1, '400 invalid_grant': CROWD - 1 });
    await expectDead(winnerOf(answers));
  });

  it('keep one live family through generations of concurrent refreshes', async () => {
    const GENERATIONS = 12;
    const first = await flows.redeem(nodes[0].fetch, parties.basic, await flows.code(browser, parties.basic.id));
    const seen = new Set([tokenOf(first, 'refresh_token')]);
    // Each goes at its own pace and may lag behind: the window lets it catch up.
    await Promise.all(
      Array.from({ length: 6 }, async (_, walker) => {
        let token = tokenOf(first, 'refresh_token');
        for (let generation = 0; generation < GENERATIONS; generation += 1) {
          const node = nodes[(walker + generation) % 2] as Node;
          token = tokenOf(await flows.refresh(node.fetch, parties.basic, token), 'refresh_token');
          seen.add(token);
        }
      }),
    );
    expect(seen.size).to.equal(GENERATIONS + 1);
    const alive = await Promise.all(
      Array.from(seen, (token, i) => flows.isActive((nodes[i % 2] as Node).fetch, parties.basic, token)),
    );
    expect(alive.filter(Boolean)).to.have.length(1);
  });

  for (const kind of ['JWT', 'opaque'] as const) {
    it(`end ${kind} access tokens everywhere when their code is used again`, async () => {
      const [client, api] = kind === 'JWT' ? [parties.basic, parties.jwtApi] : [parties.opaque, parties.opaqueApi];
      const issued = await flows.code(browser, client.id);
      const token = tokenOf(await flows.redeem(nodes[0].fetch, client, issued), 'access_token');
      expect(token.startsWith('gat_')).to.equal(kind === 'opaque');
      expect(await flows.isActive(nodes[1].fetch, api, token)).to.equal(true);
      expect(tally([await flows.redeem(nodes[0].fetch, client, issued)])).to.deep.equal({ '400 invalid_grant': 1 });
      expect(await flows.isActive(nodes[1].fetch, api, token)).to.equal(false);
    });
  }

  it('give one code for a consent page, however often and wherever it is sent', async () => {
    for (let round = 0; round < 3; round += 1) {
      const agent = createUserAgent(nodes[0].fetch, world.issuer);
      const verifier = newVerifier();
      const url = flows.authorizationUrl(parties.basic.id, verifier, { prompt: 'consent' });
      const page = pageOf(await agent.submit(pageOf(await agent.open(url)), '/sign-in', USER));
      const stops = await crowd(nodes, (node) => {
        agent.use(node.fetch);
        return agent.submit(page, '/consent');
      });
      const codes = stops.flatMap((stop) => ('left' in stop ? (stop.left.searchParams.get('code') ?? []) : []));
      expect(codes).to.have.lengthOf(1);
      for (const stop of stops) if ('page' in stop) expect(stop.page.status).to.be.oneOf([400, 409]);
      const issued = { code: codes[0] ?? '', verifier };
      expect(tally([await flows.redeem(nodes[1].fetch, parties.basic, issued)])).to.deep.equal({ 200: 1 });
    }
  });

  it('let two tabs of one browser that sign in at once both arrive, with and without consent', async () => {
    for (const prompt of ['consent', 'login', 'consent', 'login']) {
      let turn = 0;
      const balanced: Fetch = (url, init) => {
        turn += 1;
        return (nodes[turn % 2] as Node).fetch(url, init);
      };
      const tabs = createUserAgent(balanced, world.issuer);
      const verifiers = [newVerifier(), newVerifier()];
      const signIns: Stop[] = [];
      for (const verifier of verifiers) {
        signIns.push(await tabs.open(flows.authorizationUrl(parties.basic.id, verifier, { prompt })));
      }
      const after = await Promise.all(signIns.map((stop) => tabs.submit(pageOf(stop), '/sign-in', USER)));
      for (const [tab, verifier] of verifiers.entries()) {
        let end = after[tab] as Stop;
        if (prompt === 'consent') end = await tabs.submit(pageOf(end), '/consent');
        if (!('left' in end)) throw new Error(`${end.page.status} at ${end.page.url}:\n${end.page.html}`);
        const issued = { code: end.left.searchParams.get('code') ?? '', verifier };
        const answer = await flows.redeem(nodes[0].fetch, parties.basic, issued);
        expect(await flows.isActive(nodes[1].fetch, parties.jwtApi, tokenOf(answer, 'access_token'))).to.equal(true);
      }
    }
  });

  it('count parallel wrong passwords one by one; who knows the account from before may still sign in', async () => {
    const victim = { email: `victim@example.com`, password: 'a password of the victim' };
    await createUser(await world.services(), victim.email, victim.password);
    const url = flows.authorizationUrl(parties.basic.id, 'v'.repeat(43), { prompt: 'login', login_hint: victim.email });
    const knownDevice = createUserAgent(nodes[0].fetch, world.issuer);
    await knownDevice.authorize(url, victim);

    const signInPage = async (agent: UserAgent): Promise<Page> => pageOf(await agent.open(url));
    const attackers = nodes.map((node) => createUserAgent(node.fetch, world.issuer));
    const pages = await Promise.all(attackers.map(signInPage));
    const statuses = await crowd(nodes, async (_, i) => {
      const guess = { email: victim.email, password: `a wrong password ${i}` };
      const stop = await (attackers[i % 2] as UserAgent).submit(pages[i % 2] as Page, '/sign-in', guess);
      return 'page' in stop ? stop.page.status : 0;
    });
    // Five are free; a slow machine may let the first delay pass.
    expect(statuses.filter((status) => status === 422).length).to.be.within(5, 6);
    expect(statuses.filter((status) => status === 429).length).to.be.within(CROWD - 6, CROWD - 5);

    const unknownDevice = createUserAgent(nodes[1].fetch, world.issuer);
    const refused = await unknownDevice.submit(await signInPage(unknownDevice), '/sign-in', victim);
    if (!('page' in refused)) throw new Error('the right password passed at once');
    expect(refused.page.status).to.equal(429);
    expect(Number(refused.page.headers.get('retry-after'))).to.be.within(1, 900);

    const callback = await knownDevice.authorize(url, victim);
    expect(callback.searchParams.get('code')).to.be.a('string');
  });

  it('end the family when a refresh token is used after its window', async () => {
    const { token, winner, successor, atMs } = rotated;
    await sleep(Math.max(0, atMs + GRACE_SECONDS * 1000 + 200 - Date.now()));
    expect(await flows.isActive(nodes[0].fetch, parties.basic, tokenOf(successor, 'refresh_token'))).to.equal(true);
    const late = await flows.refresh(nodes[1].fetch, parties.basic, token);
    expect(tally([late])).to.deep.equal({ '400 invalid_grant': 1 });
    await expectDead(winner);
    await expectDead(successor);
  });

  it('answered none of all this with a server error', async () => {
    const errors = world
      .logs()
      .split('\n')
      .filter((line) => /"level":"(error|fatal)"|"status":5\d\d/.test(line));
    expect(errors).to.deep.equal([]);
  });
});
