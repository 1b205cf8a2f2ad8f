import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { createClient, createParties } from '../../support/e2e-parties.ts';
import { ALL_SETUPS, createWorld, describeOn, type Node, type World } from '../../support/e2e-world.ts';
import { type Answer, type ApiCalls, between, createApiCalls, type SignedIn, tally } from './api-calls.ts';

const CROWD = 50;

/** Half of the crowd asks one process, half the other. */
describeOn(ALL_SETUPS, 'the JSON API of two processes on one store', (setup) => {
  let world: World;
  let calls: ApiCalls;
  let nodes: [Node, Node];
  let person: SignedIn;

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this);
    nodes = [await world.start(), await world.start()];
    calls = createApiCalls(world);
    person = await calls.newPerson(nodes[0]);
  });
  after(() => world?.close());

  /** Who is told what by both processes. */
  async function statusesOf(texts: readonly string[]): Promise<Record<string, number>> {
    const answers = await Promise.all(texts.flatMap((text) => nodes.map((node) => calls.verify(node, text))));
    return tally(answers);
  }

  it('makes one key of one Idempotency-Key, and tells everybody the same', async () => {
    const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
    const { accessToken: credential } = person;
    const body = { name: `once ${headers['idempotency-key']}` };
    const create = (node: Node): Promise<Answer> =>
      calls.ask(node, 'POST', '/v1/api-keys', { credential, headers, body });
    const answers = await between(nodes, CROWD, (node) => create(node as Node));
    expect(tally(answers)).to.deep.equal({ 201: CROWD });
    expect(new Set(answers.map(({ body: { id, key } }) => `${id} ${key}`)).size).to.equal(1);
    const { data } = (await calls.ask(nodes[0], 'GET', '/v1/api-keys', { credential })).body;
    expect(data.filter(({ name }: { name: string }) => name === body.name)).to.have.length(1);
    expect(await statusesOf([answers[0]?.body.key])).to.deep.equal({ 200: 2 });
  });

  it('rotates one key without losing a secret that its caller was promised', async () => {
    const key = await calls.createKey(nodes[0], person);
    const { accessToken: credential } = person;
    const rotate = (node: Node): Promise<Answer> =>
      calls.ask(node, 'POST', `/v1/api-keys/${key.id}/rotate`, { credential, body: { overlap_seconds: 600 } });
    const answers = await between(nodes, CROWD, (node) => rotate(node as Node));
    const { 200: rotated = 0, 409: beaten = 0 } = tally(answers);
    expect(rotated + beaten, JSON.stringify(tally(answers))).to.equal(CROWD);
    expect(rotated).to.be.at.least(1);
    const secrets = answers.filter(({ status }) => status === 200).map(({ body }) => body.key as string);
    // One rotation after the other: the newest secret and the one before, whoever else was told one.
    const live = await Promise.all([key.text, ...secrets].map(async (text) => (await statusesOf([text]))[200] ?? 0));
    expect(live.filter((count) => count === 2)).to.have.length(2);
    expect(live.filter((count) => count === 1)).to.deep.equal([]);
    const shown = (await calls.ask(nodes[1], 'GET', `/v1/api-keys/${key.id}`, { credential })).body;
    const newest = secrets.filter((text) => text.endsWith(shown.last_four));
    expect(await statusesOf(newest)).to.deep.equal({ 200: 2 });
  });

  it('gives one successor to every refresh of a login, and one session stays', async () => {
    const login = await calls.newPerson(nodes[0]);
    const answers = await between(nodes, CROWD, (node) => calls.refresh(node, login.refreshToken));
    expect(tally(answers)).to.deep.equal({ 200: CROWD });
    expect(new Set(answers.map(({ body }) => `${body.access_token} ${body.refresh_token}`)).size).to.equal(1);
    const next = await calls.refresh(nodes[1], answers[0]?.body.refresh_token);
    expect(next.status).to.equal(200);
    const listed = await calls.ask(nodes[0], 'GET', '/v1/auth/sessions', { credential: next.body.access_token });
    expect(listed.body.data).to.have.length(1);
  });

  for (const afterMs of [30, 250]) {
    it(`leaves nothing that works of a login that ends ${afterMs} ms after its refreshes began`, async () => {
      const login = await calls.newPerson(nodes[0]);
      let ended = false;
      const walkers = Promise.all(
        Array.from({ length: CROWD }, async (_, walker) => {
          const seen = [login.refreshToken];
          const access: string[] = [];
          for (let step = 0; ; step += 1) {
            const last = ended;
            const { status, body } = await calls.refresh(nodes[(walker + step) % 2] as Node, seen.at(-1) ?? '');
            if (status !== 200 || last) return { seen, access, end: status };
            seen.push(body.refresh_token);
            access.push(body.access_token);
          }
        }),
      );
      await sleep(afterMs);
      const logouts = await between(nodes, 4, (node) => calls.logout(node, login.accessToken));
      ended = true;
      expect(tally(logouts)).to.deep.equal({ 204: 4 });
      const walked = await walkers;
      expect(walked.map(({ end }) => end)).to.deep.equal(Array(CROWD).fill(401));
      const refreshTokens = [...new Set(walked.flatMap(({ seen }) => seen))];
      const accessTokens = [...new Set(walked.flatMap(({ access }) => access)), login.accessToken];
      console.log(`        ${refreshTokens.length - 1} refreshes before the end`);
      const again = await Promise.all(refreshTokens.map((token) => calls.refresh(nodes[0], token)));
      expect(tally(again)).to.deep.equal({ 401: refreshTokens.length });
      // Without Redis the other process is told of it within 5 s; see revocation.test.ts.
      if (setup.includes('Redis')) expect(Object.keys(await statusesOf(accessTokens))).to.deep.equal(['401']);
    });
  }

  it('imports one file that two import at once once', async function () {
    this.timeout(60_000);
    const texts = Array.from({ length: 100 }, () => `sk-${randomBytes(24).toString('base64url')}`);
    const input = texts
      .map((text) => ({ text, digest: createHash('sha256').update(text).digest('hex') }))
      .map(({ digest }) => JSON.stringify({ owner: person.email, name: 'moved', digest, algorithm: 'sha256' }))
      .join('\n');
    const both = await Promise.all([1, 2].map(() => world.cliJson(['api-key', 'import'], { input })));
    const sum = (name: 'imported' | 'alreadyImported'): number => both[0][name] + both[1][name];
    expect([sum('imported'), sum('alreadyImported')]).to.deep.equal([texts.length, texts.length]);
    const rows = await world.query('select id from api_keys where imported_digest is not null');
    expect(rows).to.have.length(texts.length);
  });

  it('accepts a DPoP proof once', async () => {
    const services = await world.services();
    await createParties(services);
    const client = await createClient(services, {
      id: 'e2e-bound',
      tokenBinding: 'dpop',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      postLogoutRedirectUris: [],
      scopes: ['read'],
    });
    const keys = await createProofKeys();
    const url = `${world.issuer}/oauth2/token`;
    // The first answer names a nonce.
    const basic = `Basic ${btoa(`${client.id}:${client.secret}`)}`;
    const ask = async (nonce?: string): Promise<Response> =>
      nodes[0].fetch(url, {
        method: 'POST',
        headers: {
          authorization: basic,
          dpop: await proofFor(url, keys, nonce === undefined ? {} : { claims: { nonce } }),
        },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
    const first = await ask();
    const issued = first.status === 200 ? first : await ask(first.headers.get('dpop-nonce') ?? '');
    const { access_token: accessToken } = (await issued.json()) as { access_token: string };
    expect(accessToken).to.be.a('string');

    const target = `${world.issuer}/v1/auth/verify`;
    const dpop = await proofFor(target, keys, { accessToken });
    const headers = { authorization: `DPoP ${accessToken}`, dpop };
    const answers = await between(nodes, CROWD, (node) =>
      calls.ask(node, 'POST', '/v1/auth/verify', { headers, body: {} }),
    );
    expect(tally(answers)).to.deep.equal({ 200: 1, 401: CROWD - 1 });
    expect((await calls.verify(nodes[0], accessToken)).status).to.equal(401);
  });

  it('answered none of all this with a server error', () => {
    const errors = world
      .logs()
      .split('\n')
      .filter((line) => /"level":"(error|fatal)"|"status":5\d\d/.test(line));
    expect(errors).to.deep.equal([]);
  });
});
