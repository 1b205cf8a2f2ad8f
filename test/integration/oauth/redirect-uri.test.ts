import { expect } from 'chai';
import { authorization, createClient, DEMO, type TestClient } from '../../support/builders.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

const PLAIN = 'https://app.example.com/cb';
const WITH_QUERY = 'https://app.example.com/cb?fixed=1';

describe('redirect URIs', () => {
  let harness: Harness;
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    web = await createClient(harness, { redirectUris: [PLAIN, WITH_QUERY] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const ask = (client: { id: string }, changes: Fields) => harness.get(authorization(harness, client, changes).url);

  /** The request may go on: to the sign-in page, or back to the client with an error about something else. */
  async function expectAccepted(client: { id: string }, redirectUri: string): Promise<void> {
    const reply = await ask(client, { redirect_uri: redirectUri });
    expect([reply.status, redirectUri]).to.deep.equal([303, redirectUri]);
    expect(reply.headers.location).to.match(/\/interaction\//);
  }

  async function expectPage(client: { id: string }, changes: Fields): Promise<void> {
    const reply = await ask(client, changes);
    expect([reply.status, reply.headers.location, changes.redirect_uri]).to.deep.equal([
      400,
      undefined,
      changes.redirect_uri,
    ]);
    expect(reply.headers['content-type']).to.contain('text/html');
  }

  it('are accepted when they equal a registered one', async () => {
    await expectAccepted(web, PLAIN);
    await expectAccepted(web, WITH_QUERY);
  });

  it('that differ from a registered one in a single byte lead to a page, never to a redirect', async () => {
    for (const redirectUri of [
      'https://app.example.com/cb/',
      'https://app.example.com/CB',
      'https://APP.example.com/cb',
      'HTTPS://app.example.com/cb',
      'http://app.example.com/cb',
      'https://app.example.com:443/cb',
      'https://app.example.com:8443/cb',
      'https://app.example.com/cb?',
      'https://app.example.com/cb?x=1',
      'https://app.example.com/cb?fixed=1&x=1',
      'https://app.example.com/cb?fixed=2',
      'https://app.example.com/cb#',
      'https://app.example.com/cb#fragment',
      'https://app.example.com/%63b',
      'https://app.example.com//cb',
      'https://app.example.com/x/../cb',
      'https://app.example.com/./cb',
      'https://app.example.com/cb/../cb',
      'https://app.example.com\\cb',
      'https://user@app.example.com/cb',
      'https://app.example.com@evil.example/cb',
      'https://evil.example/cb',
      'https://app.example.com.evil.example/cb',
      'https://sub.app.example.com/cb',
      'https://app.example.com./cb',
      ' https://app.example.com/cb',
      'https://app.example.com/cb ',
      'https://app.example.com/cb\n',
      'https://app.example.com/cb\u0000',
      '//app.example.com/cb',
      '/cb',
      'javascript:alert(1)',
    ]) {
      await expectPage(web, { redirect_uri: redirectUri });
    }
  });

  it('must be given, and once', async () => {
    await expectPage(web, { redirect_uri: undefined });
    await expectPage(web, { redirect_uri: '' });
    await expectPage(web, { redirect_uri: [PLAIN, PLAIN] });
    await expectPage(web, { redirect_uri: [PLAIN, 'https://evil.example/cb'] });
    const one = await createClient(harness, { redirectUris: [PLAIN] });
    await expectPage(one, { redirect_uri: undefined });
  });

  it('that are wrong lead to a page whatever else is wrong with the request', async () => {
    const redirect_uri = 'https://evil.example/cb';
    for (const changes of [
      { response_type: 'token' },
      { response_type: undefined },
      { response_type: ['code', 'token'] },
      { scope: 'bad"scope' },
      { scope: ['a', 'b'] },
      { code_challenge: undefined },
      { code_challenge_method: 'plain' },
      { prompt: 'none' },
      { prompt: 'none login' },
      { response_mode: 'nonsense' },
      { response_mode: 'form_post', response_type: 'token' },
      { resource: 'https://unknown.example' },
      { request: 'eyJhbGciOiJub25lIn0.e30.' },
      { request_uri: 'urn:example:1' },
      { state: ['a', 'b'] },
      { id_token_hint: 'garbage' },
      { max_age: '-1' },
      { claims: '{' },
    ]) {
      await expectPage(web, { redirect_uri, ...changes });
    }
  });

  it('are matched with any port on loopback for a native client, the rest byte for byte', async () => {
    for (const accepted of [
      'http://127.0.0.1/callback',
      'http://127.0.0.1:1/callback',
      'http://127.0.0.1:49152/callback',
      'http://[::1]:49152/callback',
      'http://localhost:49152/callback',
    ]) {
      await expectAccepted(DEMO.native, accepted);
    }
    for (const redirect_uri of [
      'http://127.0.0.1:49152/callback/',
      'http://127.0.0.1:49152/Callback',
      'http://127.0.0.1:49152/callback?x=1',
      'http://127.0.0.1:49152/other',
      'http://127.0.0.1:99999/callback',
      'http://127.0.0.2:49152/callback',
      'http://127.1:49152/callback',
      'http://0x7f.0.0.1:49152/callback',
      'http://user@127.0.0.1:49152/callback',
      'http://127.0.0.1.evil.example:49152/callback',
      'http://localhost.evil.example/callback',
      'https://127.0.0.1:49152/callback',
      'http://[::2]:49152/callback',
    ]) {
      await expectPage(DEMO.native, { redirect_uri });
    }
  });

  it('of a web client keep their port, on loopback too', async () => {
    await expectAccepted(DEMO.web, 'http://127.0.0.1:8080/callback');
    await expectPage(DEMO.web, { redirect_uri: 'http://127.0.0.1:8081/callback' });
    await expectPage(DEMO.web, { redirect_uri: 'http://127.0.0.1/callback' });
  });

  it('of a private-use scheme are matched whole', async () => {
    const native = await createClient(harness, {
      authMethod: 'none',
      applicationType: 'native',
      redirectUris: ['com.example.app:/cb'],
    });
    await expectAccepted(native, 'com.example.app:/cb');
    await expectPage(native, { redirect_uri: 'com.example.app:/cb2' });
    await expectPage(native, { redirect_uri: 'com.example.app://cb' });
    await expectPage(native, { redirect_uri: 'com.example.other:/cb' });
  });

  it('that could leak a code cannot be registered', async () => {
    const register = (redirectUri: string, applicationType: 'web' | 'native') =>
      createClient(harness, {
        authMethod: 'none',
        applicationType,
        redirectUris: [redirectUri],
      }).then(
        () => `${redirectUri} was accepted`,
        (error: { code?: string }) => error.code,
      );
    for (const [redirectUri, type] of [
      ['http://app.example.com/cb', 'web'],
      ['http://app.example.com/cb', 'native'],
      ['http://127.0.0.2/cb', 'native'],
      ['https://app.example.com/cb#x', 'web'],
      ['https://user:pass@app.example.com/cb', 'web'],
      ['https://*.example.com/cb', 'web'],
      ['javascript:alert(1)', 'native'],
      ['data:text/html,x', 'native'],
      ['myapp:/cb', 'native'],
      ['com.example.app:/cb', 'web'],
      ['/relative', 'web'],
    ] as const) {
      expect(await register(redirectUri, type)).to.equal('invalid_request');
    }
  });

  it('are never followed for a client that is unknown, missing or named twice', async () => {
    for (const client_id of [
      undefined,
      '',
      'nobody',
      'demo-we',
      'DEMO-WEB',
      ['demo-web', 'demo-web'],
      'a\u0000b',
      '../demo-web',
    ]) {
      await expectPage(DEMO.web, { client_id });
    }
  });

  it('are never followed for a client that has no authorization code grant', async () => {
    await expectPage(DEMO.machine, {});
    await expectPage(DEMO.api, {});
  });
});
