import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createRemoteJWKSet, decodeProtectedHeader, customFetch as joseFetch, jwtVerify } from 'jose';
import { type ClientFlows, createClientFlows, createUserAgent, tokenOf } from '../support/client-flows.ts';
import { until } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import { createWorld, type Node, type SetupName, type World } from '../support/e2e-world.ts';

/** With Redis a rotation is told at once; without it every process looks every two seconds. */
const PACE: [SetupName, { rotations: number; pauseMs: number }][] = [
  ['PostgreSQL and Redis', { rotations: 20, pauseMs: 250 }],
  ['SQLite', { rotations: 3, pauseMs: 2500 }],
];

for (const [setup, { rotations, pauseMs }] of PACE) {
  describe(`signing keys that rotate ${rotations} times under load, on ${setup}`, () => {
    let world: World;
    let nodes: [Node, Node];
    let parties: Parties;
    let flows: ClientFlows;

    before(async function () {
      world = await createWorld(setup, this);
      const first = await world.start();
      nodes = [first, await world.start()];
      parties = await createParties(await world.services());
      flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    });
    after(() => world?.close());

    const activeKids = async (): Promise<Record<string, string>> => {
      const keys: { kid: string; algorithm: string; state: string }[] = await world.cliJson(['keys', 'list']);
      return Object.fromEntries(keys.filter(({ state }) => state === 'active').map((key) => [key.algorithm, key.kid]));
    };

    it('every token verifies at once, everywhere and later; every process follows', async function () {
      this.timeout(90_000);
      const { rotation } = await world.services();
      const before = await activeKids();

      // A resource server that asks the other process for the keys, and asks again when it meets a kid it does not know.
      const keysOf = nodes.map((node) =>
        createRemoteJWKSet(new URL(`${world.issuer}/oauth2/jwks`), { [joseFetch]: node.fetch, cooldownDuration: 0 }),
      );
      const issued: string[] = [];
      const problems: string[] = [];
      async function check(token: string, by: number): Promise<void> {
        issued.push(token);
        const keys = keysOf[1 - by] as (typeof keysOf)[0];
        await jwtVerify(token, keys, { issuer: world.issuer }).catch((error: Error) => {
          problems.push(`${error.message}: ${decodeProtectedHeader(token).kid}, from process ${by}`);
        });
      }
      const browser = createUserAgent(nodes[0].fetch, world.issuer);
      const code = await flows.code(browser, parties.basic.id);
      let refreshToken = tokenOf(await flows.redeem(nodes[0].fetch, parties.basic, code), 'refresh_token');

      let done = false;
      const own = nodes.map(async (node, by) => {
        while (!done) {
          const token = tokenOf(await flows.clientCredentials(node.fetch, parties.basic), 'access_token');
          await check(token, by);
          const other = nodes[1 - by] as Node;
          if (!(await flows.isActive(other.fetch, parties.jwtApi, token))) problems.push(`inactive, from ${by}`);
          await sleep(15);
        }
      });
      // Id tokens are signed with the other algorithm.
      const users = (async () => {
        for (let turn = 0; !done; turn += 1) {
          const by = turn % 2;
          const answer = await flows.refresh((nodes[by] as Node).fetch, parties.basic, refreshToken);
          refreshToken = tokenOf(answer, 'refresh_token');
          await check(tokenOf(answer, 'access_token'), by);
          await check(tokenOf(answer, 'id_token'), by);
          await sleep(40);
        }
      })();

      for (let turn = 0; turn < rotations - 1; turn += 1) {
        await rotation.rotate({ now: true });
        await sleep(pauseMs);
      }
      await world.cliJson(['keys', 'rotate', '--now']);
      const after = await activeKids();
      done = true;
      await Promise.all([...own, users]);
      // What a client gets for itself, what it gets for a user, and id tokens: from every process, by the new keys.
      const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid;
      const followed = await until('every process signs with the new keys', 15, async () => {
        const kids: (string | undefined)[] = [];
        for (const { fetch } of nodes) {
          kids.push(kidOf(tokenOf(await flows.clientCredentials(fetch, parties.basic), 'access_token')));
          const answer = await flows.refresh(fetch, parties.basic, refreshToken);
          refreshToken = tokenOf(answer, 'refresh_token');
          kids.push(kidOf(tokenOf(answer, 'access_token')), kidOf(tokenOf(answer, 'id_token')));
        }
        const [es, rs] = [after.ES256, after.RS256];
        return kids.join() === [es, es, rs, es, es, rs].join();
      });

      const kids = new Set(issued.map(kidOf));
      console.log(`        ${issued.length} tokens of ${kids.size} keys; followed within ${followed} ms`);
      expect(problems).to.deep.equal([]);
      expect(kids.size).to.be.greaterThan(rotations / 2);
      expect([after.ES256, after.RS256]).not.to.include.members([before.ES256, before.RS256]);
      // Each of them by both processes still, with keys read now.
      for (const node of nodes) {
        const keys = createRemoteJWKSet(new URL(`${world.issuer}/oauth2/jwks`), { [joseFetch]: node.fetch });
        for (const token of issued) await jwtVerify(token, keys, { issuer: world.issuer });
      }
    });
  });
}
