import { expect } from 'chai';
import { call, good, isAccepted, newKey, newPerson, outcome, type Person, signIn } from '../../support/api-client.ts';
import { authorization, authorize, DEMO, introspect, obtainTokens, redeem, refresh } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const PROVIDER_KEY = 'sk-proj-the-key-of-somebody-who-leaves-0123456789';

describe('an account that is deleted', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const add = (as: Person) =>
    good(call(harness, 'POST /v1/provider-keys', { as: as.token, body: { provider: 'openai', value: PROVIDER_KEY } }));

  it('takes everything along that is its own, and nothing of anybody else', async function () {
    this.timeout(30_000);
    const { services } = harness;
    const bob = await newPerson(harness);
    const [key, kept] = [await newKey(harness, ada), await newKey(harness, bob)];
    for (const person of [ada, bob]) await add(person);
    const body = { name: 'A machine' };
    const client = await good(call(harness, 'POST /v1/clients', { as: ada.token, body }));
    expect(await isAccepted(harness, key.key)).to.equal(true);

    const deleted = await Promise.all([services.deleteAccount(ada.email), services.deleteAccount(ada.id)]);
    expect(deleted.map(({ id }) => id)).to.deep.equal([ada.id, ada.id]);

    for (const credential of [key.key, ada.token]) expect(await isAccepted(harness, credential)).to.equal(false);
    const login = call(harness, 'POST /v1/auth/login', { body: { email: ada.email, password: ada.password } });
    expect(await outcome(login)).to.equal('401 invalid_credentials');
    const renewed = call(harness, 'POST /v1/auth/refresh', { body: { refresh_token: ada.refreshToken } });
    expect(await outcome(renewed)).to.match(/^401 /);
    expect(await services.stores.clients.find(client.client_id)).to.equal(null);
    expect(await services.stores.apiKeys.list({ ownerId: ada.id, limit: 10 })).to.deep.equal([]);
    expect(await services.stores.providerKeys.list(ada.id)).to.deep.equal([]);

    expect(await isAccepted(harness, kept.key)).to.equal(true);
    expect(await services.stores.providerKeys.list(bob.id)).to.have.length(1);
    const [event, ...more] = await services.stores.audit.list({ limit: 9, type: 'account.deleted' });
    expect(more).to.deep.equal([]);
    expect(event).to.include({ accountId: ada.id });
    expect(JSON.stringify(event)).to.not.contain(ada.email);
  });

  it('leaves its address to whoever signs up, who gets nothing of it', async () => {
    const { email, password } = ada;
    await harness.services.manageAccounts.create({ email, password });
    const next = await signIn(harness, { email, password });
    expect(next.id).to.not.equal(ada.id);
    for (const path of ['api-keys', 'provider-keys', 'clients'])
      expect((await good(call(harness, `GET /v1/${path}`, { as: next.token }))).data).to.deep.equal([]);
    expect(await isAccepted(harness, ada.token)).to.equal(false);
  });

  it('ends the apps that it let in, in the middle of what they do', async function () {
    this.timeout(30_000);
    const who = await newPerson(harness);
    const scope = 'openid read offline_access';
    const {
      browser,
      access_token: token,
      refresh_token: refreshToken,
    } = await obtainTokens(harness, DEMO.web, { who, scope });
    const unused = await authorize(harness, DEMO.web, { who, browser, scope });
    expect((await introspect(harness, DEMO.api, token)).json().active).to.equal(true);

    await harness.services.deleteAccount(who.id);

    expect((await introspect(harness, DEMO.api, token)).json()).to.deep.equal({ active: false });
    for (const reply of [await refresh(harness, DEMO.web, refreshToken), await redeem(harness, DEMO.web, unused)])
      expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
    expect(await harness.services.stores.consents.find(who.id, DEMO.web.id)).to.equal(null);
    const again = await browser.open(authorization(harness, DEMO.web).url);
    expect(again.text).to.contain('Sign in to continue');
  });
});
