import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { generateClientKey } from '../../../src/domain/signing-keys/client-key.ts';
import { createRenewedClient } from '../../../src/endpoints/oauth/renewed-client.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { clientOf } from '../../conformance/client-store.ts';
import { parallel } from '../../conformance/parallel.ts';
import { basic, createClient, introspect, postAs, type TestClient } from '../../support/builders.ts';
import { makeIdentity } from '../../support/certificates.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

/** Two processes on one database, of which one hears nothing of what the other changes. */
describe('a client in a process that remembers it as it was', () => {
  let folder: string;
  let here: Harness;
  let there: Harness;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-renewed-'));
    const env = {
      DATABASE_URL: `sqlite:${join(folder, 'shared.sqlite')}`,
      ...{ GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1', GATEHOUSE_CLIENT_CERTIFICATE_HEADER: 'Client-Cert' },
    };
    here = await startHarness({ env });
    there = await startHarness({ env });
  });
  after(async () => {
    await here?.[Symbol.asyncDispose]();
    await there?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const machine = { grantTypes: ['client_credentials' as const] };
  const statuses = async (ask: () => Promise<{ status: number }>) =>
    new Set((await parallel(50, ask)).map(({ status }) => status));
  const asks =
    (client: TestClient, secret = client.secret) =>
    () =>
      there.post('/oauth2/introspect', { token: 'x' }, { authorization: basic(client.id, secret ?? '') });

  it('is known by its new secret at once, by 50 requests', async () => {
    const client = await createClient(here, machine);
    for (const overlap of [60, 0]) {
      expect((await asks(client)()).status).to.equal(200);
      const { secret } = await here.services.manageClients.rotateSecret(client.id, overlap);
      there.keepSecret(secret);
      expect(await statuses(asks(client, secret))).to.deep.equal(new Set([200]));
      client.secret = secret;
    }
  });

  it('is known at once when it was looked for just before it was made', async () => {
    const id = 'made-a-moment-ago';
    const early = { id, secret: 'guess', method: 'client_secret_basic' } as TestClient;
    expect(await statuses(asks(early))).to.deep.equal(new Set([401]));
    const client = await createClient(here, { ...machine, id });
    there.keepSecret(client.secret ?? '');
    expect(await statuses(asks(client))).to.deep.equal(new Set([200]));
  });

  it('is known by new keys and by a new certificate at once', async () => {
    const keyed = await createClient(here, { ...machine, authMethod: 'private_key_jwt' });
    expect((await introspect(there, keyed, 'x')).status).to.equal(200);
    const next = await generateClientKey();
    await here.services.manageClients.update(keyed.id, { jwks: [next.publicJwk as never] });
    const renewed = { ...keyed, privateJwk: next.privateJwk };
    expect(await statuses(() => introspect(there, renewed, 'x'))).to.deep.equal(new Set([200]));
    expect((await introspect(there, keyed, 'x')).status, 'the old key').to.equal(401);

    const [old, fresh] = ['old', 'fresh'].map((name) => makeIdentity(folder, name));
    const shown = (identity = old) => ({ 'client-cert': encodeURIComponent(identity?.cert ?? '') });
    const bound = await createClient(here, {
      ...{ ...machine, authMethod: 'self_signed_tls_client_auth' },
      certificateThumbprints: [old?.thumbprint ?? ''],
    });
    const ask =
      (identity = old) =>
      () =>
        postAs(there, bound, '/oauth2/introspect', { token: 'x' }, shown(identity));
    expect((await ask()()).status).to.equal(200);
    await here.services.manageClients.update(bound.id, { certificateThumbprints: [fresh?.thumbprint ?? ''] });
    expect(await statuses(ask(fresh))).to.deep.equal(new Set([200]));
    expect((await ask()()).status, 'the old certificate').to.equal(401);
  });

  it('is looked at three times a second at most, however many wrong secrets come', async () => {
    const client = clientOf();
    const clock = { ...systemClock, atMs: 1_800_000_000_000, nowMs: () => clock.atMs };
    let looks = 0;
    const renewed = createRenewedClient({
      findClient: async () => client,
      renewClient: async () => {
        looks += 1;
        return client;
      },
      clock,
    });
    for (let second = 1; second <= 3; second += 1) {
      for (let i = 0; i < 200; i += 1) expect(await renewed(client)).to.equal(null);
      expect(looks).to.equal(3 * second);
      clock.atMs += 1000;
    }
  });

  it('is found by who asked while a look that began before the change was under way', async () => {
    const [before, after] = [clientOf({ updatedAt: 1 }), clientOf({ updatedAt: 2 })];
    const answers = [before, after];
    const renewed = createRenewedClient({
      findClient: async () => before,
      renewClient: async () => {
        const answer = answers.shift() ?? after;
        await new Promise((resolve) => setTimeout(resolve, 10));
        return answer;
      },
      clock: systemClock,
    });
    const found = await parallel(50, () => renewed(before));
    expect(found.filter((client) => client === after)).to.have.length(49);
    expect(answers).to.deep.equal([]);
  });
});
