import { expect } from 'chai';
import { type Harness, startHarness } from '../../support/harness.ts';

const OPENID = '/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server';

describe('the server metadata', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('is the same at both well-known addresses, and for everyone', async () => {
    const [openid, oauth] = [await harness.get(OPENID), await harness.get(OAUTH)];
    expect(openid.status).to.equal(200);
    expect(openid.text).to.equal(oauth.text);
    for (const reply of [openid, oauth]) {
      expect(reply.headers['access-control-allow-origin']).to.equal('*');
      expect(reply.headers['cache-control']).to.match(/^public, max-age=\d+$/);
      expect(reply.headers['content-type']).to.match(/^application\/json/);
    }
  });

  it('names what this server does, and nothing it does not do', async () => {
    const metadata = (await harness.get(OPENID)).json();
    const { issuer } = harness;
    expect(metadata).to.deep.include({
      issuer,
      authorization_endpoint: `${issuer}/oauth2/authorize`,
      token_endpoint: `${issuer}/oauth2/token`,
      introspection_endpoint: `${issuer}/oauth2/introspect`,
      revocation_endpoint: `${issuer}/oauth2/revoke`,
      userinfo_endpoint: `${issuer}/oauth2/userinfo`,
      end_session_endpoint: `${issuer}/oauth2/logout`,
      jwks_uri: `${issuer}/oauth2/jwks`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    });
    expect(metadata.grant_types_supported).to.have.members([
      'authorization_code',
      'refresh_token',
      'client_credentials',
    ]);
    expect(metadata.response_modes_supported).to.have.members(['query', 'fragment', 'form_post']);
    expect(metadata.token_endpoint_auth_methods_supported).to.have.members([
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
    ]);
    expect(metadata.scopes_supported).to.include.members(['openid', 'offline_access', 'profile', 'email']);
    expect(metadata.id_token_signing_alg_values_supported).to.have.members(['RS256', 'ES256']);
    expect(metadata).to.not.have.any.keys(
      'registration_endpoint',
      'pushed_authorization_request_endpoint',
      'device_authorization_endpoint',
      'request_parameter_supported_algs',
    );
    for (const name of ['request_parameter_supported', 'request_uri_parameter_supported'])
      expect(metadata[name] ?? false).to.equal(false);
  });

  it('offers no algorithm without a signature or with a shared key', async () => {
    const metadata = (await harness.get(OPENID)).json();
    const algorithms = Object.entries(metadata).filter(([name]) => name.endsWith('_alg_values_supported'));
    expect(algorithms.length).to.be.at.least(2);
    for (const [name, values] of algorithms)
      expect([name, (values as string[]).filter((value) => value === 'none' || value.startsWith('HS'))]).to.deep.equal([
        name,
        [],
      ]);
  });

  it('answers the preflight that MCP clients in browsers send', async () => {
    for (const path of [OPENID, OAUTH, '/oauth2/jwks']) {
      const reply = await harness.send(path, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://anything.example',
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'mcp-protocol-version',
        },
      });
      expect([reply.status, reply.headers['access-control-allow-origin']]).to.deep.equal([204, '*']);
      expect(reply.headers['access-control-allow-headers']?.toLowerCase()).to.contain('mcp-protocol-version');
    }
  });

  it('has every address at which it says something answers', async () => {
    const metadata = (await harness.get(OPENID)).json() as Record<string, unknown>;
    for (const [name, value] of Object.entries(metadata)) {
      if (!/_(endpoint|uri)$/.test(name) || typeof value !== 'string') continue;
      expect([name, (await harness.get(value)).status]).to.not.deep.equal([name, 404]);
    }
  });

  it('answers 404, and no server error, for well-known documents it has not', async () => {
    for (const path of [
      '/.well-known/oauth-protected-resource/other',
      '/.well-known/webfinger?resource=acct:x',
      '/.well-known/',
      '/.well-known/openid-configuration/',
      '/.well-known/openid-configuration/tenant',
      '/.well-known/oauth-authorization-server/tenant',
      '/.well-known/%00',
      '/.well-known/../secrets',
    ])
      expect([path, (await harness.get(path)).status]).to.deep.equal([path, 404]);
  });

  it('may only be read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const reply = await harness.send(OPENID, { method });
      expect([method, reply.status, reply.headers.allow]).to.deep.equal([method, 405, 'GET, HEAD, OPTIONS']);
    }
    const head = await harness.send(OPENID, { method: 'HEAD' });
    expect([head.status, head.text]).to.deep.equal([200, '']);
  });
});
