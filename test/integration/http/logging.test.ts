import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ADA } from '../../support/browser.ts';
import {
  assertion,
  basic,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  obtainTokens,
  redeem,
  refresh,
  revoke,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

/** Everything that opens something, collected from a long day of all flows, right and wrong. */
async function useEverything(harness: Harness): Promise<Set<string>> {
  const secrets = new Set<string>([ADA.password, 'demo-web-secret', 'demo-machine-secret', 'demo-api-secret']);
  const opaque = await createResource(harness);
  const web = await createClient(harness, { resources: [opaque.identifier] });
  const keyed = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
  const who = await createAccount(harness);
  for (const value of [opaque.api.secret, web.secret, who.password, keyed.privateJwk?.d]) if (value) secrets.add(value);

  for (const [client, api, resource] of [
    [web, opaque.api, opaque.identifier],
    [DEMO.web, DEMO.api, 'https://api.example.com'],
  ] as const) {
    const first = await obtainTokens(harness, client, { who, scope: 'openid profile read offline_access', resource });
    const second = (await refresh(harness, client, first.refresh_token)).json();
    const plain = (await refresh(harness, client, second.refresh_token, { scope: 'openid' })).json();
    await introspect(harness, api, second.access_token);
    await userinfo(harness, plain.access_token);
    await revoke(harness, client, plain.access_token);
    for (const tokens of [first, second, plain])
      for (const value of [tokens.access_token, tokens.refresh_token, tokens.id_token]) if (value) secrets.add(value);
    for (const { name, value } of first.browser.jar.cookies)
      if (value.length > 20 && !name.endsWith('.sig')) secrets.add(value);
    for (const page of first.browser.seen)
      for (const form of page.forms) if (form.fields.csrf) secrets.add(form.fields.csrf);
    // Wrong uses, which are the ones that get logged.
    await redeem(harness, client, {
      request: { verifier: 'v'.repeat(43), redirectUri: 'x', url: '', parameters: {} },
      code: 'gac_wrong-code-that-nobody-issued',
      page: first.browser.page,
      browser: first.browser,
    });
    await refresh(harness, { ...client, secret: 'a-wrong-secret-that-was-sent' }, plain.refresh_token);
    await harness.get(`/oauth2/userinfo?access_token=${second.access_token}`);
    await harness.get(`/nothing-here?code=${first.refresh_token}`, {
      referer: `https://x.example/?token=${first.refresh_token}`,
      authorization: `Bearer ${first.access_token}`,
    });
    secrets.add('gac_wrong-code-that-nobody-issued').add('a-wrong-secret-that-was-sent');
  }
  const proof = await assertion(harness, keyed);
  secrets.add(proof);
  const fields = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: proof,
  };
  for (let i = 0; i < 2; i += 1) await harness.post('/oauth2/token', fields);
  const machine = (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json();
  secrets.add(machine.access_token);
  await harness.post(
    '/oauth2/revoke',
    { token: machine.access_token },
    { authorization: basic('demo-machine', 'demo-machine-secret') },
  );
  return secrets;
}

describe('credentials', () => {
  let folder: string;
  let harness: Harness;
  let secrets: Set<string>;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-leaks-'));
    harness = await startHarness({ env: { DATABASE_URL: `sqlite:${join(folder, 'gatehouse.sqlite')}` } });
    secrets = await useEverything(harness);
    expect(secrets.size).to.be.greaterThan(30);
  });
  after(async () => {
    await harness[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('never reach the log', () => {
    const written = JSON.stringify(harness.log);
    expect(harness.log.length).to.be.greaterThan(40);
    expect([...secrets].filter((secret) => written.includes(secret))).to.deep.equal([]);
  });

  it('never reach the audit trail', async () => {
    const events = await harness.services.stores.audit.list({ limit: 1000 });
    expect(events.length).to.be.greaterThan(10);
    const written = JSON.stringify(events);
    expect([...secrets].filter((secret) => written.includes(secret))).to.deep.equal([]);
  });

  it('never reach the database in clear, so that a copy of it opens nothing', () => {
    const bytes = readdirSync(folder)
      .map((file) => readFileSync(join(folder, file)).toString('latin1'))
      .join('\n');
    expect(bytes.length).to.be.greaterThan(50_000);
    // What must be there proves that the search would find it.
    expect(bytes).to.contain('demo-web').and.to.contain('ada@example.com');
    expect([...secrets].filter((secret) => bytes.includes(secret))).to.deep.equal([]);
  });

  it('are not in what errors say to the caller', async () => {
    const reply = await refresh(harness, DEMO.web, 'grt_some-value-that-was-sent-here');
    expect(reply.text).to.not.contain('grt_some');
    const repeated = await harness.send('/oauth2/token', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'client_secret=first-secret-value&client_secret=second-secret-value',
    });
    expect(repeated.text).to.not.contain('secret-value');
  });

  it('are long, random and marked with what they are', async () => {
    const opaque = await createResource(harness);
    const web = await createClient(harness, { resources: [opaque.identifier] });
    const tokens = await obtainTokens(harness, web, {
      scope: 'openid read offline_access',
      resource: opaque.identifier,
    });
    // 43 characters of base64url are 256 bits.
    expect(tokens.access_token).to.match(/^gat_[A-Za-z0-9_-]{43}$/);
    expect(tokens.refresh_token).to.match(/^grt_[A-Za-z0-9_-]{43}$/);
    expect(tokens.browser.page.answer.get('code')).to.match(/^gac_[A-Za-z0-9_-]{43}$/);
    expect(web.secret).to.match(/^[A-Za-z0-9_-]{43}$/);
    expect(tokens.browser.jar.get('session')?.length).to.be.at.least(43);
  });

  it('leave a log line per request, with its id and without its query', async () => {
    const before = harness.log.length;
    const reply = await harness.get('/oauth2/authorize?client_id=demo-web&state=state-of-the-client', {
      accept: 'text/html',
    });
    const lines = harness.log.slice(before).filter(({ msg }) => msg === 'request');
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ method: 'GET', route: 'authorize', requestId: reply.headers['x-request-id'] });
    expect(JSON.stringify(lines)).to.not.contain('state-of-the-client');
  });
});
