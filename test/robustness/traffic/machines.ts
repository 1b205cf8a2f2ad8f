/** Clients without people: secrets, and assertions that are shown to both nodes at once. */
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { post } from '../../support/client-flows.ts';
import type { Party } from '../../support/e2e-parties.ts';
import type { Asker } from './asker.ts';
import { LIFETIMES, type Scene, type Traffic } from './scene.ts';
import { byIntrospection, type Holding, probe } from './wallet.ts';

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_SECONDS = 240;

export function createMachineTraffic(scene: Scene): Traffic {
  const { flows, parties, issuer } = scene;

  async function withSecret(asker: Asker): Promise<void> {
    const client = asker.random.pick([parties.opaque, parties.basic]);
    let holding: Holding | undefined;
    let token = '';
    await asker.ask('client credentials', {}, (fetch) => flows.clientCredentials(fetch, client), {
      read(answer, call) {
        if (answer.status !== 200) return;
        token = answer.body.access_token;
        holding = holdingOf(client, token);
        call.gives = [holding];
        scene.wallet.add(holding);
      },
    });
    if (!holding) return asker.rest(200);
    await probe(asker, holding);
    if (asker.random.chance(0.15)) {
      await asker.insist('revoke', { ends: [holding.name] }, (fetch) => flows.revoke(fetch, client, token));
    }
  }

  function holdingOf(client: Party, token: string): Holding {
    const opaque = client === parties.opaque;
    return {
      name: scene.nameOf('machine token', token),
      inMemory: opaque,
      lifetimeMs: LIFETIMES.accessTokenMs,
      question: (fetch) => flows.introspect(fetch, opaque ? parties.opaqueApi : parties.jwtApi, token),
      isAlive: byIntrospection,
    };
  }

  async function withAssertion(asker: Asker): Promise<void> {
    const { id, privateKey } = parties.jwt;
    if (!privateKey) throw new Error('the client has no key');
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'first' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime(`${ASSERTION_SECONDS}s`)
      .sign(privateKey);
    const uses = {
      thing: asker.ledger.name('assertion'),
      rule: 'once',
      givenMs: asker.ledger.nowMs(),
      goodForMs: ASSERTION_SECONDS * 1000,
      retryForMs: 0,
    } as const;
    await asker.askBoth('assertion', { uses }, (fetch) =>
      post(
        fetch,
        `${issuer}/oauth2/token`,
        { id },
        {
          grant_type: 'client_credentials',
          client_assertion_type: ASSERTION,
          client_assertion: assertion,
        },
      ),
    );
    // A third time, later: it may be good only when neither of the others counted.
    await asker.rest(100);
    await asker.insist('assertion', { uses }, (fetch) =>
      post(
        fetch,
        `${issuer}/oauth2/token`,
        { id },
        {
          grant_type: 'client_credentials',
          client_assertion_type: ASSERTION,
          client_assertion: assertion,
        },
      ),
    );
  }

  return {
    async step(asker) {
      await (asker.random.chance(0.25) ? withAssertion(asker) : withSecret(asker));
      await asker.rest(200);
    },
  };
}
