import { createServer } from 'node:http';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  authorize,
  CALLBACK,
  claimsOf,
  createClient,
  DEMO,
  redeem,
} from '../../support/builders.ts';
import { freePort } from '../../support/free-port.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

describe('the authorization request', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** What the client is told without anybody being asked. */
  async function answerTo(changes: Fields, client: { id: string } = DEMO.web): Promise<URLSearchParams> {
    const browser = new Browser(harness);
    const page = await browser.open(authorization(harness, client, changes).url);
    expect(page.callback?.href.split(/[?#]/)[0], `${JSON.stringify(changes)}: ${page.text}`).to.equal(CALLBACK);
    return page.answer;
  }

  const errorOf = async (changes: Fields): Promise<string | null> => (await answerTo(changes)).get('error');

  it('knows no response type but code', async () => {
    for (const response_type of ['token', 'id_token', 'none', 'code token', 'code id_token', 'id_token token', 'x']) {
      expect([response_type, await errorOf({ response_type, nonce: 'n' })]).to.deep.equal([
        response_type,
        'unsupported_response_type',
      ]);
    }
    expect(await errorOf({ response_type: undefined })).to.equal('invalid_request');
    expect(await errorOf({ response_type: '' })).to.equal('invalid_request');
  });

  it('is refused when a parameter is repeated', async () => {
    for (const name of [
      'state',
      'scope',
      'nonce',
      'response_type',
      'code_challenge',
      'code_challenge_method',
      'prompt',
      'max_age',
      'login_hint',
      'response_mode',
      'claims',
    ]) {
      const answer = await answerTo({ [name]: ['one', 'two'] });
      expect([name, answer.get('error')]).to.deep.equal([name, 'invalid_request']);
      expect(answer.getAll('state')).to.have.length(name === 'state' ? 0 : 1);
    }
  });

  it('may hold parameters nobody knows, repeated or not', async () => {
    const { code } = await authorize(harness, DEMO.web, { foo: 'bar', baz: ['1', '2'], __proto__x: 'y' });
    expect(code).to.match(/^gac_/);
  });

  it('is answered with the issuer in success and in error, in every response mode', async () => {
    for (const response_mode of [undefined, 'query', 'fragment', 'form_post']) {
      const { page } = await authorize(harness, DEMO.web, { response_mode });
      expect(page.answer.get('iss')).to.equal(harness.issuer);
      expect(page.callback?.hash === '').to.equal(response_mode !== 'fragment');

      const browser = new Browser(harness);
      const refused = authorization(harness, DEMO.web, { response_mode, prompt: 'none' });
      let failed = await browser.open(refused.url);
      if (response_mode === 'form_post') failed = await browser.submit('Continue');
      const error = failed.answer;
      expect(error.get('error')).to.equal('login_required');
      expect(error.get('iss')).to.equal(harness.issuer);
      expect(error.get('state')).to.equal(refused.parameters.state);
    }
    const metadata = (await harness.get('/.well-known/openid-configuration')).json();
    expect(metadata.authorization_response_iss_parameter_supported).to.equal(true);
    expect(metadata.issuer).to.equal(harness.issuer);
  });

  it('is answered without a response mode that could post to another window or hide the answer in a token', async () => {
    for (const response_mode of ['web_message', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'nonsense']) {
      const answer = await answerTo({ response_mode });
      expect([response_mode, answer.get('error')]).to.deep.equal([response_mode, 'unsupported_response_mode']);
    }
  });

  it('gets its state and nonce back exactly, long and in any script', async () => {
    const long = 'x'.repeat(1200);
    for (const value of [long, 'späß 日本語 🚪 %2F+& ="\'<>', 'a b', '__proto__', `${long} ${long}`]) {
      const authorized = await authorize(harness, DEMO.web, { state: value, nonce: value });
      expect(authorized.page.answer.get('state')).to.equal(value);
      const { id_token } = (await redeem(harness, DEMO.web, authorized)).json();
      expect(claimsOf(id_token).nonce).to.equal(value);
      expect((await answerTo({ state: value, prompt: 'none' })).get('state')).to.equal(value);
    }
  });

  it('gets no state back when it sent none', async () => {
    const { page } = await authorize(harness, DEMO.web, { state: undefined });
    expect(page.answer.has('state')).to.equal(false);
  });

  it('cannot bring a request object, signed or not', async () => {
    const claims = { client_id: 'demo-web', redirect_uri: 'https://evil.example/cb', response_type: 'code' };
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
    const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from('demo-web-secret'));
    for (const request of [unsigned, signed, 'garbage'])
      expect(await errorOf({ request })).to.equal('request_not_supported');
  });

  it('cannot make the server fetch a request_uri', async () => {
    let hits = 0;
    const port = await freePort();
    const trap = createServer((_request, response) => {
      hits += 1;
      response.end('x');
    });
    await new Promise<void>((resolve) => trap.listen(port, '127.0.0.1', resolve));
    for (const request_uri of [
      `http://127.0.0.1:${port}/r`,
      'urn:ietf:params:oauth:request_uri:x',
      'file:///etc/passwd',
    ])
      expect(await errorOf({ request_uri })).to.equal('request_uri_not_supported');
    expect(await errorOf({ registration: '{}' })).to.equal('registration_not_supported');
    await new Promise((resolve) => trap.close(resolve));
    expect(hits).to.equal(0);
  });

  it('is refused with the error the specification names', async () => {
    expect(await errorOf({ scope: 'openid "quoted"' })).to.equal('invalid_scope');
    expect(await errorOf({ prompt: 'nonsense' })).to.equal('invalid_request');
    expect(await errorOf({ prompt: 'none login' })).to.equal('invalid_request');
    expect(await errorOf({ max_age: '-5' })).to.equal('invalid_request');
    expect(await errorOf({ max_age: 'soon' })).to.equal('invalid_request');
    expect(await errorOf({ claims: '{' })).to.equal('invalid_request');
    expect(await errorOf({ claims: '[]' })).to.equal('invalid_request');
    expect(await errorOf({ resource: 'https://unknown.example' })).to.equal('invalid_target');
    expect(await errorOf({ resource: '/relative' })).to.equal('invalid_target');
    expect(await errorOf({ resource: 'https://api.example.com#x' })).to.equal('invalid_target');
  });

  it('only ever redirects by 303, so that no credential is posted on', async () => {
    const browser = new Browser(harness);
    await browser.open(authorization(harness, DEMO.web, { scope: 'openid profile' }).url);
    const statuses = browser.trail.map(({ status }) => status);
    await browser.signIn();
    statuses.push(...browser.trail.map(({ status }) => status));
    if (!browser.page.callback) {
      await browser.allow();
      statuses.push(...browser.trail.map(({ status }) => status));
    }
    expect(statuses).to.have.length.greaterThan(2);
    expect(new Set(statuses)).to.deep.equal(new Set([303]));
  });

  it('is granted what was asked, allowed and consented, and says so when that is less', async () => {
    const authorized = await authorize(harness, DEMO.web, { scope: 'openid read admin nonsense offline_access' });
    const tokens = (await redeem(harness, DEMO.web, authorized)).json();
    expect(tokens.scope).to.equal('read');
    const plain = await authorize(harness, DEMO.web, { scope: 'openid nonsense' });
    expect((await redeem(harness, DEMO.web, plain)).json().scope).to.equal('openid');
  });

  it('cannot ask for a single claim of a scope that the client was not given', async () => {
    const web = await createClient(harness, { scopes: ['openid', 'read'], resources: [API] });
    const claims = (name: string) => JSON.stringify({ userinfo: { [name]: null } });
    const ask = (name: string) =>
      new Browser(harness).open(authorization(harness, web, { scope: 'openid', claims: claims(name) }).url);
    expect((await ask('email')).answer.get('error')).to.equal('invalid_request');
    expect((await ask('sub')).heading).to.equal('Sign in');
  });

  it('that asks for nothing the client may have is refused', async () => {
    const browser = new Browser(harness);
    await browser.complete(authorization(harness, DEMO.web, { scope: 'nonsense' }).url).catch(() => browser.page);
    expect(browser.page.answer.get('code')).to.equal(null);
  });
});
