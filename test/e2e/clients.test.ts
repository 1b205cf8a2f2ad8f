import { expect } from 'chai';
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { createUserAgent, newVerifier, post, USER } from '../support/client-flows.ts';
import type { Fetch } from '../support/e2e-fetch.ts';
import { CALLBACK, createParties, JWT_API, OPAQUE_API, type Parties, type Party } from '../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';

describeOn(TWO_SETUPS, 'real OAuth clients', (setup) => {
  let world: World;
  let node: Node;
  let parties: Parties;
  /** The client libraries' requests go to the process, whatever the issuer's name resolves to. */
  let fetch: Fetch;

  before(async function () {
    world = await createWorld(setup, this);
    node = await world.start();
    parties = await createParties(await world.services());
    fetch = node.fetch;
  });
  after(() => world?.close());

  function openidAuth({ method, secret, privateKey }: Party): openid.ClientAuth {
    if (method === 'none') return openid.None();
    if (privateKey) return openid.PrivateKeyJwt({ key: privateKey, kid: 'first' });
    return method === 'client_secret_post' ? openid.ClientSecretPost(secret) : openid.ClientSecretBasic(secret);
  }

  const discover = (party: Party, algorithm: 'oidc' | 'oauth2' = 'oidc'): Promise<openid.Configuration> =>
    openid.discovery(new URL(world.issuer), party.id, { redirect_uris: [CALLBACK] }, openidAuth(party), {
      execute: [openid.allowInsecureRequests],
      algorithm,
      [openid.customFetch]: fetch,
    });

  async function signIn(config: openid.Configuration, parameters: Record<string, string>) {
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()];
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...parameters,
    });
    const callback = await createUserAgent(fetch, world.issuer).authorize(url);
    return { callback, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } };
  }

  async function openidTokens(config: openid.Configuration, parameters: Record<string, string>) {
    const { callback, checks } = await signIn(config, parameters);
    return openid.authorizationCodeGrant(config, callback, checks);
  }

  describe('openid-client', () => {
    it('accepts the metadata at both well-known addresses', async () => {
      for (const algorithm of ['oidc', 'oauth2'] as const) {
        const metadata = (await discover(parties.basic, algorithm)).serverMetadata();
        expect(metadata.issuer).to.equal(world.issuer);
        expect(metadata.authorization_response_iss_parameter_supported).to.equal(true);
        expect(metadata.supportsPKCE()).to.equal(true);
      }
    });

    for (const name of ['basic', 'post', 'jwt', 'public'] as const) {
      it(`signs in, refreshes, reads the user and revokes as the ${name} client`, async () => {
        const party = parties[name];
        const config = await discover(party);
        const tokens = await openidTokens(config, { scope: 'openid profile email offline_access read' });
        // The scope of the access token, which is for the API; the rest went into the id token and the grant.
        expect(tokens.scope).to.equal('read');
        const subject = tokens.claims()?.sub ?? '';

        const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '');
        expect(refreshed.refresh_token).to.be.a('string').and.not.equal(tokens.refresh_token);
        expect(refreshed.claims()?.sub).to.equal(subject);

        const forUserinfo = await openid.refreshTokenGrant(config, refreshed.refresh_token ?? '', {
          scope: 'openid profile email',
        });
        const user = await openid.fetchUserInfo(config, forUserinfo.access_token, subject);
        expect(user.email).to.equal(USER.email);

        const introspect = async () =>
          (await post(fetch, `${world.issuer}/oauth2/introspect`, parties.jwtApi, { token: refreshed.access_token }))
            .body;
        expect((await introspect()).active).to.equal(true);
        await openid.tokenRevocation(config, forUserinfo.refresh_token ?? '');
        expect(await introspect()).to.deep.equal({ active: false });
        const failure = await openid.refreshTokenGrant(config, forUserinfo.refresh_token ?? '').catch((e) => e);
        expect(failure.error).to.equal('invalid_grant');
      });
    }

    for (const name of ['basic', 'post', 'jwt'] as const) {
      it(`gets a token of its own and introspects it as the ${name} client`, async () => {
        const config = await discover(parties[name]);
        const tokens = await openid.clientCredentialsGrant(config, { scope: 'read' });
        expect(tokens.refresh_token).to.equal(undefined);
        const seen = await openid.tokenIntrospection(config, tokens.access_token);
        expect(seen).to.include({ active: true, client_id: parties[name].id, scope: 'read', aud: JWT_API });
      });
    }

    it('gets opaque tokens, which only their resource server and their client may ask about', async () => {
      const config = await discover(parties.opaque);
      const { access_token: token } = await openid.clientCredentialsGrant(config, { scope: 'write' });
      expect(token).to.match(/^gat_/);
      const ask = async (client: { id: string; secret?: string }) =>
        (await post(fetch, `${world.issuer}/oauth2/introspect`, client, { token })).body;
      expect(await ask(parties.opaqueApi)).to.include({ active: true, aud: OPAQUE_API });
      expect(await ask(parties.opaque)).to.include({ active: true });
      expect(await ask(parties.jwtApi)).to.deep.equal({ active: false });
      await openid.tokenRevocation(config, token);
      expect(await ask(parties.opaqueApi)).to.deep.equal({ active: false });
    });

    it('refuses a callback that another issuer claims, or that none does', async () => {
      const config = await discover(parties.public);
      for (const iss of ['https://attacker.example', null]) {
        const { callback, checks } = await signIn(config, { scope: 'openid' });
        expect(callback.searchParams.get('iss')).to.equal(world.issuer);
        if (iss === null) callback.searchParams.delete('iss');
        else callback.searchParams.set('iss', iss);
        const failure = await openid.authorizationCodeGrant(config, callback, checks).catch((e) => e);
        expect(failure).to.be.an('error');
        expect(String(failure.cause?.message ?? failure.message)).to.match(/iss/);
      }
    });

    it('finds iss in an error response too', async () => {
      const config = await discover(parties.public);
      const { callback, checks } = await signIn(config, { scope: 'openid', prompt: 'none' });
      expect(callback.searchParams.get('iss')).to.equal(world.issuer);
      const failure = await openid.authorizationCodeGrant(config, callback, checks).catch((e) => e);
      expect(failure.error).to.equal('login_required');
    });

    it('checks the age of the sign-in against max_age', async () => {
      const config = await discover(parties.basic);
      const { callback, checks } = await signIn(config, { scope: 'openid', max_age: '60' });
      const tokens = await openid.authorizationCodeGrant(config, callback, { ...checks, maxAge: 60 });
      expect(tokens.claims()?.auth_time).to.be.a('number');
    });

    it('signs the user out and comes back with its state', async () => {
      const config = await discover(parties.basic);
      const agent = createUserAgent(fetch, world.issuer);
      const verifier = openid.randomPKCECodeVerifier();
      const parameters = {
        redirect_uri: CALLBACK,
        scope: 'openid',
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      const callback = await agent.authorize(openid.buildAuthorizationUrl(config, parameters));
      const tokens = await openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier });

      const logout = openid.buildEndSessionUrl(config, {
        post_logout_redirect_uri: 'http://127.0.0.1:9/',
        id_token_hint: tokens.id_token ?? '',
        state: 'after-logout',
      });
      const asked = await agent.open(logout);
      if ('left' in asked) throw new Error('signed out without asking');
      const done = await agent.submit(asked.page, '/confirm', { logout: 'yes' });
      expect('left' in done && done.left.href).to.equal('http://127.0.0.1:9/?state=after-logout');

      const again = await agent.open(openid.buildAuthorizationUrl(config, { ...parameters, prompt: 'none' }));
      expect('left' in again && again.left.searchParams.get('error')).to.equal('login_required');
    });
  });

  describe('oauth4webapi', () => {
    // Its types know fetch by its own names only.
    const insecure = () => ({ [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch });

    async function discovered(algorithm: 'oidc' | 'oauth2' = 'oidc'): Promise<oauth.AuthorizationServer> {
      const issuer = new URL(world.issuer);
      const response = await oauth.discoveryRequest(issuer, { ...insecure(), algorithm });
      return oauth.processDiscoveryResponse(issuer, response);
    }

    function clientAuth({ method, secret = '', privateKey }: Party): oauth.ClientAuth {
      if (method === 'none') return oauth.None();
      if (privateKey) return oauth.PrivateKeyJwt({ key: privateKey, kid: 'first' });
      return method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
    }

    async function tokens(as: oauth.AuthorizationServer, party: Party, scope: string) {
      const client = { client_id: party.id };
      const [verifier, state, nonce] = [newVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
      const url = new URL(as.authorization_endpoint ?? '');
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: party.id,
        redirect_uri: CALLBACK,
        scope,
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString();
      const callback = await createUserAgent(fetch, world.issuer).authorize(url);
      const parameters = oauth.validateAuthResponse(as, client, callback, state);
      const auth = clientAuth(party);
      const response = await oauth.authorizationCodeGrantRequest(
        ...[as, client, auth, parameters, CALLBACK, verifier],
        insecure(),
      );
      return oauth.processAuthorizationCodeResponse(as, client, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      });
    }

    it('finds the same metadata by RFC 8414 and by OpenID Connect Discovery', async () => {
      expect(await discovered('oauth2')).to.deep.equal(await discovered('oidc'));
    });

    for (const name of ['basic', 'post', 'jwt', 'public'] as const) {
      it(`runs the code and refresh grants as the ${name} client`, async () => {
        const as = await discovered();
        const client = { client_id: parties[name].id };
        const auth = clientAuth(parties[name]);
        const first = await tokens(as, parties[name], 'openid offline_access read');
        const subject = oauth.getValidatedIdTokenClaims(first)?.sub ?? '';

        const response = await oauth.refreshTokenGrantRequest(
          ...[as, client, auth, first.refresh_token ?? ''],
          insecure(),
        );
        const second = await oauth.processRefreshTokenResponse(as, client, response);
        expect(oauth.getValidatedIdTokenClaims(second)?.sub).to.equal(subject);
      });
    }

    it('validates a JWT access token as a resource server does', async () => {
      const as = await discovered();
      const { access_token: token } = await tokens(as, parties.basic, 'openid read');
      const request = new Request(`${JWT_API}/things`, { headers: { authorization: `Bearer ${token}` } });
      const claims = await oauth.validateJwtAccessToken(as, request, JWT_API, insecure());
      expect(claims).to.include({ iss: world.issuer, aud: JWT_API, client_id: parties.basic.id, scope: 'read' });
      const elsewhere = oauth.validateJwtAccessToken(as, request, OPAQUE_API, insecure());
      expect(await elsewhere.catch((e) => e)).to.be.an('error');
    });

    it('verifies id tokens against the published keys', async () => {
      const as = await discovered();
      const config = await discover(parties.basic);
      openid.enableNonRepudiationChecks(config);
      const answer = await openidTokens(config, { scope: 'openid' });
      expect(answer.claims()?.iss).to.equal(as.issuer);
    });

    it('reads userinfo, introspects and revokes', async () => {
      const as = await discovered();
      const client = { client_id: parties.basic.id };
      const auth = clientAuth(parties.basic);
      const answer = await tokens(as, parties.basic, 'openid email');
      const subject = oauth.getValidatedIdTokenClaims(answer)?.sub ?? '';
      const userinfo = await oauth.userInfoRequest(as, client, answer.access_token, insecure());
      expect((await oauth.processUserInfoResponse(as, client, subject, userinfo)).email).to.equal(USER.email);

      const introspect = async () => {
        const response = await oauth.introspectionRequest(as, client, auth, answer.access_token, insecure());
        return oauth.processIntrospectionResponse(as, client, response);
      };
      expect((await introspect()).active).to.equal(true);
      const revoked = await oauth.revocationRequest(as, client, auth, answer.access_token, insecure());
      await oauth.processRevocationResponse(revoked);
      expect((await introspect()).active).to.equal(false);
      const after = await oauth.userInfoRequest(as, client, answer.access_token, insecure());
      expect(after.status).to.equal(401);
    });
  });

  it('issues access tokens that jose verifies through the key set', async () => {
    const answer = await post(fetch, `${world.issuer}/oauth2/token`, parties.basic, {
      grant_type: 'client_credentials',
      scope: 'read write',
    });
    const keys = createRemoteJWKSet(new URL(`${world.issuer}/oauth2/jwks`), { [joseFetch]: fetch });
    const { payload, protectedHeader } = await jwtVerify(answer.body.access_token ?? '', keys, {
      issuer: world.issuer,
      audience: JWT_API,
      typ: 'at+jwt',
    });
    expect(protectedHeader.alg).to.equal('ES256');
    expect(payload).to.include({ sub: parties.basic.id, scope: 'read write' });
  });

  it('reads the parameters of a token request from JSON as well', async () => {
    const ask = async (body: object, headers: Record<string, string> = {}) => {
      const response = await fetch(`${world.issuer}/oauth2/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      expect(response.headers.get('cache-control')).to.equal('no-store');
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const basic = { authorization: `Basic ${btoa(`${parties.basic.id}:${parties.basic.secret}`)}` };
    const good = await ask({ grant_type: 'client_credentials', scope: 'read' }, basic);
    expect(good.status).to.equal(200);
    expect(good.body).to.include({ token_type: 'Bearer', scope: 'read' });
    const { id, secret } = parties.post;
    const inBody = await ask({ grant_type: 'client_credentials', client_id: id, client_secret: secret });
    expect(inBody.status).to.equal(200);
    const wrong = await ask({ grant_type: ['client_credentials', 'client_credentials'] }, basic);
    expect(wrong).to.deep.include({ status: 400 });
    expect(wrong.body.error).to.equal('invalid_request');
  });

  it('serves the clients of the demonstration', async () => {
    const machine = { id: 'demo-machine', secret: 'demo-machine-secret' };
    const answer = await post(fetch, `${world.issuer}/oauth2/token`, machine, { grant_type: 'client_credentials' });
    expect(answer.status).to.equal(200);
    const seen = await post(
      fetch,
      `${world.issuer}/oauth2/introspect`,
      { id: 'demo-api', secret: 'demo-api-secret' },
      { token: answer.body.access_token ?? '' },
    );
    expect(seen.body.active).to.equal(true);
  });
});
