import { expect } from 'chai';
import {
  authorize,
  basic,
  createClient,
  DEMO,
  redeem,
  refresh,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const TOKEN = '/oauth2/token';
const AUTHORIZATION = basic('demo-machine', 'demo-machine-secret');
const FORM = { 'content-type': 'application/x-www-form-urlencoded', authorization: AUTHORIZATION };
const JSON_TYPE = { 'content-type': 'application/json', authorization: AUTHORIZATION };

describe('the token endpoint', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const send = (body: string | Buffer, headers: Record<string, string> = FORM, path = TOKEN): Promise<Reply> =>
    harness.send(path, { method: 'POST', headers, body });

  function expectOAuthError(reply: Reply, status: number, error: string): void {
    expect([reply.status, reply.json().error]).to.deep.equal([status, error]);
    expect(Object.keys(reply.json())).to.deep.equal(['error', 'error_description']);
    expect(reply.json().error_description).to.match(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(reply.headers['cache-control']).to.equal('no-store');
    expect(reply.headers['content-type']).to.match(/^application\/json/);
  }

  it('answers in JSON that nobody may store, in success and in error', async () => {
    const authorized = await authorize(harness, DEMO.web, { scope: 'openid offline_access read' });
    const code = await redeem(harness, DEMO.web, authorized);
    const refreshed = await refresh(harness, DEMO.web, code.json().refresh_token);
    const machine = await token(harness, DEMO.machine, { grant_type: 'client_credentials' });
    for (const reply of [code, refreshed, machine]) {
      expect(reply.status).to.equal(200);
      expect(reply.headers['content-type']).to.match(/^application\/json/);
      expect(reply.headers['cache-control']).to.equal('no-store');
      expect(reply.json()).to.include({ token_type: 'Bearer', expires_in: 900 });
    }
    expect(code.json()).to.have.all.keys(
      'access_token',
      'token_type',
      'expires_in',
      'refresh_token',
      'id_token',
      'scope',
    );
    expectOAuthError(await redeem(harness, DEMO.web, authorized), 400, 'invalid_grant');
    expectOAuthError(
      await send('grant_type=client_credentials', { ...FORM, authorization: basic('demo-machine', 'x') }),
      401,
      'invalid_client',
    );
  });

  it('knows no grant that takes a password or a token in the front channel', async () => {
    for (const grant_type of [
      'password',
      'implicit',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      '__proto__',
      'constructor',
      'toString',
      'CLIENT_CREDENTIALS',
    ])
      expectOAuthError(
        await token(harness, DEMO.machine, {
          grant_type,
          username: 'ada@example.com',
          password: 'correct horse battery staple',
        }),
        400,
        'unsupported_grant_type',
      );
    expectOAuthError(await token(harness, DEMO.machine, {}), 400, 'invalid_request');
  });

  it('refuses repeated parameters, names the first, and takes empty ones for missing', async () => {
    for (const body of [
      'grant_type=client_credentials&grant_type=client_credentials',
      'grant_type=client_credentials&scope=read&scope=write',
      'grant_type=refresh_token&refresh_token=a&refresh_token=b',
      'grant_type=client_credentials&client_id=demo-machine&client_id=demo-machine',
    ])
      expectOAuthError(await send(body), 400, 'invalid_request');
    expectOAuthError(await send('grant_type='), 400, 'invalid_request');
    expect((await send('grant_type=client_credentials&scope=&resource=')).json().scope).to.equal('read write');
  });

  it('ignores parameters it does not know', async () => {
    expect((await send('grant_type=client_credentials&foo=bar&__proto__=x&constructor=y')).status).to.equal(200);
  });

  it('refuses every parameter in the URL, right ones too', async () => {
    for (const query of [
      'grant_type=client_credentials',
      'client_id=demo-machine&client_secret=demo-machine-secret',
      'x=',
      'access_token=x',
    ])
      expectOAuthError(await send('grant_type=client_credentials', FORM, `${TOKEN}?${query}`), 400, 'invalid_request');
  });

  it('takes a JSON object of strings as well as a form', async () => {
    const reply = await send(JSON.stringify({ grant_type: 'client_credentials', scope: 'read' }), JSON_TYPE);
    expect([reply.status, reply.json().scope]).to.deep.equal([200, 'read']);
    const charset = { ...JSON_TYPE, 'content-type': 'application/json; charset=utf-8' };
    const post = await createClient(harness, { authMethod: 'client_secret_post', grantTypes: ['client_credentials'] });
    const body = {
      grant_type: 'client_credentials',
      client_id: post.id,
      client_secret: post.secret,
      resource: ['https://api.example.com'],
    };
    const { authorization: _, ...anonymous } = charset;
    expect((await send(JSON.stringify(body), anonymous)).status).to.equal(200);
  });

  it('takes a whole code and refresh flow in JSON', async () => {
    const authorized = await authorize(harness, DEMO.spa, { scope: 'openid offline_access' });
    const json = (fields: Record<string, unknown>) =>
      send(JSON.stringify({ client_id: 'demo-spa', ...fields }), { 'content-type': 'application/json' });
    const tokens = await json({
      grant_type: 'authorization_code',
      code: authorized.code,
      redirect_uri: authorized.request.redirectUri,
      code_verifier: authorized.request.verifier,
    });
    expect(tokens.status).to.equal(200);
    expect((await json({ grant_type: 'refresh_token', refresh_token: tokens.json().refresh_token })).status).to.equal(
      200,
    );
  });

  it('refuses JSON of any other shape', async () => {
    for (const body of [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      '1',
      '[{"grant_type":"client_credentials"}]',
      '{"grant_type":1}',
      '{"grant_type":null}',
      '{"grant_type":{"a":"b"}}',
      '{"grant_type":"client_credentials","scope":["read","write"]}',
      '{"grant_type":"client_credentials","scope":[["read"]]}',
      `{"grant_type":"client_credentials","x":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      '{"grant_type":true}',
      '\uFEFF{}x',
    ])
      expectOAuthError(await send(body, JSON_TYPE), 400, 'invalid_request');
  });

  it('does not let a member named __proto__ change anything', async () => {
    const reply = await send('{"__proto__":"x","constructor":"y","grant_type":"client_credentials"}', JSON_TYPE);
    expect(reply.status).to.equal(200);
    expectOAuthError(
      await send('{"__proto__":{"grant_type":"client_credentials"}}', JSON_TYPE),
      400,
      'invalid_request',
    );
    expect(({} as Record<string, unknown>).x).to.equal(undefined);
  });

  it('refuses other content types, methods and encodings in OAuth JSON', async () => {
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/xml', 'application/jwt'])
      expectOAuthError(
        await send('grant_type=client_credentials', { ...FORM, 'content-type': type }),
        415,
        'invalid_request',
      );
    expectOAuthError(
      await send('grant_type=client_credentials', { authorization: AUTHORIZATION }),
      415,
      'invalid_request',
    );
    expectOAuthError(
      await send('grant_type=client_credentials', { ...FORM, 'content-encoding': 'gzip' }),
      415,
      'invalid_request',
    );
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'TRACE', 'PROPFIND']) {
      const reply = await harness.send(TOKEN, { method });
      expect([method, reply.status]).to.deep.equal([method, 405]);
      expect(reply.headers.allow).to.equal('POST, OPTIONS');
    }
  });

  it('refuses bodies that are too large, without reading them, or not UTF-8', async () => {
    expectOAuthError(await send(`grant_type=client_credentials&x=${'a'.repeat(70_000)}`), 413, 'invalid_request');
    expectOAuthError(
      await send(Buffer.from('grant_type=client_credentials&x=\xff\xfe', 'latin1')),
      400,
      'invalid_request',
    );
    for (const bad of ['%', '%zz', '%ff', '%c3%28', '%ed%a0%80'])
      expectOAuthError(await send(`grant_type=client_credentials&x=${bad}`), 400, 'invalid_request');
    expectOAuthError(await send(`grant_type=client_credentials&${'a=b&'.repeat(100)}`), 400, 'invalid_request');
  });

  it('refuses NUL and other controls in what it looks up', async () => {
    for (const value of ['%00', 'grt_%00', '%0d%0a', '%e2%80%ae']) {
      const reply = await send(`grant_type=refresh_token&refresh_token=${value}`);
      expect([value, reply.status]).to.deep.equal([value, 400]);
    }
    const client: TestClient = {
      id: 'demo\u0000machine',
      method: 'client_secret_basic',
      secret: 'demo-machine-secret',
    };
    expectOAuthError(await token(harness, client, { grant_type: 'client_credentials' }), 401, 'invalid_client');
  });
});
