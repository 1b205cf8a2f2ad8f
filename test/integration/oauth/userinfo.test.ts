import { expect } from 'chai';
import {
  API,
  createAccount,
  createClient,
  createResource,
  DEMO,
  obtainTokens,
  refresh,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const USERINFO = '/oauth2/userinfo';

describe('userinfo', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('tells what the scopes of the token allow, and no more', async () => {
    const all = await obtainTokens(harness, DEMO.web, { scope: 'openid profile email' });
    const facts = (await userinfo(harness, all.access_token)).json();
    expect(facts).to.include({
      name: 'Ada Lovelace',
      given_name: 'Ada',
      family_name: 'Lovelace',
      email: 'ada@example.com',
      email_verified: true,
    });
    expect(facts.sub).to.match(/^acc_/);
    const email = await obtainTokens(harness, DEMO.web, { scope: 'openid email' });
    expect(Object.keys((await userinfo(harness, email.access_token)).json())).to.have.members([
      'sub',
      'email',
      'email_verified',
    ]);
    const plain = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    expect(Object.keys((await userinfo(harness, plain.access_token)).json())).to.deep.equal(['sub']);
  });

  it('tells single claims that were asked for and allowed', async () => {
    const claims = JSON.stringify({ userinfo: { given_name: null }, id_token: { auth_time: { essential: true } } });
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid', claims });
    expect((await userinfo(harness, tokens.access_token)).json()).to.include({ given_name: 'Ada' });
  });

  it('may not be stored by anybody', async () => {
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    expect((await userinfo(harness, tokens.access_token)).headers['cache-control']).to.equal('no-store');
  });

  it('answers GET and POST, with the token in the Authorization header or a form, never in the URL', async () => {
    const { access_token } = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    expect(
      (await harness.send(USERINFO, { method: 'POST', headers: { authorization: `Bearer ${access_token}` } })).status,
    ).to.equal(200);
    expect((await harness.post(USERINFO, { access_token })).status).to.equal(200);
    expect((await harness.get(`${USERINFO}?access_token=${access_token}`)).status).to.equal(400);
    const twice = await harness.post(USERINFO, { access_token }, { authorization: `Bearer ${access_token}` });
    expect(twice.status).to.equal(400);
  });

  it('refuses every token that is not meant for it, and says how to present one', async () => {
    const opaque = await createResource(harness);
    const web = await createClient(harness, { resources: [API, opaque.identifier] });
    const machine = await createClient(harness, { grantTypes: ['client_credentials'], resources: [opaque.identifier] });
    const jwt = await obtainTokens(harness, web, { scope: 'openid read', resource: API });
    const forApi = await obtainTokens(harness, web, { scope: 'openid read', resource: opaque.identifier });
    const own = (await token(harness, machine, { grant_type: 'client_credentials' })).json().access_token;
    const ownJwt = (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json().access_token;
    for (const value of [
      jwt.access_token,
      jwt.id_token,
      jwt.refresh_token,
      forApi.access_token,
      forApi.refresh_token,
      own,
      ownJwt,
      'x',
      'gat_x',
      'a.b.c',
    ]) {
      const reply = await userinfo(harness, value);
      // A token for an API has the wrong audience and no openid scope; either may be named.
      expect([reply.status, reply.json().error].join(' ')).to.be.oneOf(['401 invalid_token', '403 insufficient_scope']);
      expect(reply.headers['www-authenticate']).to.match(/^Bearer .*error="(invalid_token|insufficient_scope)"/);
      expect(reply.headers['content-type']).to.match(/json/);
    }
  });

  it('asks for a token when there is none', async () => {
    const reply = await harness.get(USERINFO);
    expect(reply.status).to.be.oneOf([400, 401]);
    expect(reply.headers['www-authenticate']).to.match(/^Bearer realm=/);
    expect(reply.headers['content-type']).to.match(/json/);
    for (const accept of ['*/*', 'application/json', 'text/html', 'text/html,*/*;q=0.8'])
      expect((await harness.get(USERINFO, { accept })).headers['content-type']).to.match(/json/);
  });

  it('ends at once for an account that is disabled, and with the life of the token', async () => {
    const who = await createAccount(harness);
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid', who });
    expect((await userinfo(harness, tokens.access_token)).status).to.equal(200);
    await harness.services.manageAccounts.disable(who.account.id);
    expect((await userinfo(harness, tokens.access_token)).status).to.equal(401);
    const ada = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    using _ = travel(920);
    expect((await userinfo(harness, ada.access_token)).status).to.equal(401);
  });

  it('shows a changed account at the next request', async () => {
    const who = await createAccount(harness, { givenName: 'Grace' });
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid profile offline_access', who });
    await harness.services.stores.accounts.update(who.account.id, { givenName: 'Amazing Grace' }, Date.now());
    expect((await userinfo(harness, tokens.access_token)).json().given_name).to.equal('Amazing Grace');
    expect((await refresh(harness, DEMO.web, tokens.refresh_token)).status).to.equal(200);
  });
});
