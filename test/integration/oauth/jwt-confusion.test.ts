import { expect } from 'chai';
import { type CryptoKey, importJWK, SignJWT } from 'jose';
import type { Browser } from '../../support/browser.ts';
import {
  API,
  assertion,
  authorization,
  authorize,
  claimsOf,
  createClient,
  createResource,
  DEMO,
  introspect,
  obtainTokens,
  redeem,
  refresh,
  revoke,
  type TestClient,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('every kind of token', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  let web: TestClient;
  let keyed: TestClient;
  let kinds: Record<string, string>;
  /** Of the person who is signed in. */
  let somebody: Browser;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
    keyed = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
    const machine = await createClient(harness, { grantTypes: ['client_credentials'], resources: [opaque.identifier] });
    const jwt = await obtainTokens(harness, web, { scope: 'openid read offline_access', resource: API });
    const plain = await obtainTokens(harness, web, {
      scope: 'openid read offline_access',
      resource: opaque.identifier,
    });
    const own = await obtainTokens(harness, web, { scope: 'openid' });
    const { code } = await authorize(harness, web, { scope: 'openid' });
    const asked = await harness.get(authorization(harness, web).url);
    somebody = jwt.browser;
    kinds = {
      code,
      'access token for the API, JWT': jwt.access_token,
      'access token for an API, opaque': plain.access_token,
      'access token for userinfo': own.access_token,
      "machine's access token, JWT": (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json()
        .access_token,
      "machine's access token, opaque": (await token(harness, machine, { grant_type: 'client_credentials' })).json()
        .access_token,
      'refresh token': jwt.refresh_token,
      'id token': jwt.id_token,
      'client assertion': await assertion(harness, keyed),
      'session cookie': jwt.browser.jar.get('session') ?? '',
      'device cookie': jwt.browser.jar.get('device') ?? '',
      'interaction id': /\/interaction\/([^/]+)/.exec(asked.headers.location ?? '')?.[1] ?? '',
    };
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** Who must accept which kinds; everything else is refused. */
  const consumers: Record<string, { accepts: string[]; send: (value: string) => Promise<boolean> }> = {
    'the token endpoint as a code': {
      accepts: [],
      send: async (code) =>
        (
          await token(harness, web, {
            grant_type: 'authorization_code',
            code,
            redirect_uri: 'http://127.0.0.1:8080/other',
          })
        ).status === 200,
    },
    'the token endpoint as a refresh token': {
      accepts: ['refresh token'],
      send: async (value) => (await refresh(harness, web, value)).status === 200,
    },
    'the token endpoint as a client assertion': {
      accepts: ['client assertion'],
      send: async (client_assertion) =>
        (
          await harness.post('/oauth2/token', {
            grant_type: 'client_credentials',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion,
          })
        ).status === 200,
    },
    'the token endpoint as a client secret': {
      accepts: [],
      send: async (secret) =>
        (await token(harness, { ...web, secret }, { grant_type: 'refresh_token', refresh_token: 'x' })).status !== 401,
    },
    'userinfo as a bearer token': {
      accepts: ['access token for userinfo'],
      send: async (value) => (await userinfo(harness, value)).status === 200,
    },
    'introspection by the opaque API': {
      accepts: ['access token for an API, opaque', "machine's access token, opaque"],
      send: async (value) => (await introspect(harness, opaque.api, value)).json().active,
    },
    'introspection by the JWT API': {
      accepts: ['access token for the API, JWT', "machine's access token, JWT"],
      send: async (value) => (await introspect(harness, DEMO.api, value)).json().active,
    },
    'introspection by the client': {
      accepts: [
        'access token for the API, JWT',
        'access token for an API, opaque',
        'access token for userinfo',
        'refresh token',
      ],
      send: async (value) => (await introspect(harness, web, value)).json().active,
    },
    'sign-out as id_token_hint': {
      accepts: ['id token'],
      // Only a hint that is believed says which application asks.
      send: async (hint) => {
        const page = await somebody.open(harness.url(`/oauth2/logout?id_token_hint=${encodeURIComponent(hint)}`));
        expect([page.reply.status, page.heading]).to.deep.equal([200, 'Sign out?']);
        return page.text.includes('asks to sign you out');
      },
    },
    'a session cookie': {
      accepts: [],
      send: async (value) => {
        const url = authorization(harness, web, { prompt: 'none' }).url;
        const reply = await harness.get(url, { cookie: `gatehouse_session=${encodeURIComponent(value)}` });
        return !reply.headers.location?.includes('error=login_required');
      },
    },
    'an interaction cookie': {
      accepts: [],
      send: async (value) => {
        const path = `/interaction/${/^[A-Za-z0-9_-]{43}$/.test(value) ? value : 'A'.repeat(43)}`;
        return (
          (await harness.get(path, { cookie: `gatehouse_interaction=${encodeURIComponent(value)}` })).status === 200
        );
      },
    },
  };

  for (const [name, { accepts, send }] of Object.entries(consumers)) {
    it(`is refused by ${name} unless it was made for that`, async () => {
      for (const [kind, value] of Object.entries(kinds)) {
        if (accepts.includes(kind)) continue;
        expect(value.length, kind).to.be.greaterThan(10);
        expect([kind, await send(value)]).to.deep.equal([kind, false]);
      }
    });
  }

  // After the refusals, because some of these use the token up.
  for (const [name, { accepts, send }] of Object.entries(consumers)) {
    if (accepts.length === 0) continue;
    it(`is accepted by ${name} when it was: ${accepts.join('; ')}`, async () => {
      for (const kind of accepts.filter((kind) => kind !== 'refresh token' || name.includes('introspection')))
        expect([kind, await send(kinds[kind] ?? '')]).to.deep.equal([kind, true]);
    });
  }

  it('that is a JWT says in its header what it is for', () => {
    const header = (kind: string) =>
      JSON.parse(Buffer.from((kinds[kind] ?? '').split('.')[0] ?? '', 'base64url').toString());
    expect(header('access token for the API, JWT').typ).to.equal('at+jwt');
    expect(header("machine's access token, JWT").typ).to.equal('at+jwt');
    expect(header('id token').typ).to.not.equal('at+jwt');
    expect(claimsOf(kinds['id token'] ?? '').aud).to.equal(web.id);
  });

  describe('that was forged', () => {
    const ACCESS = 'access token for the API, JWT';
    const inactive = async (value: string): Promise<boolean> => {
      const asApi = (await introspect(harness, DEMO.api, value)).json();
      const asOwner = (await introspect(harness, web, value)).json();
      const { status } = await userinfo(harness, value);
      return !asApi.active && !asOwner.active && status >= 400 && status < 500;
    };
    const pieces = (): { header: Record<string, unknown>; claims: Record<string, unknown>; signature: string } => {
      const [header = '', , signature = ''] = (kinds[ACCESS] ?? '').split('.');
      return {
        header: JSON.parse(Buffer.from(header, 'base64url').toString()),
        claims: claimsOf(kinds[ACCESS] ?? ''),
        signature,
      };
    };

    it('with no algorithm, another or an array is refused', async () => {
      const { header, claims, signature } = pieces();
      for (const alg of [
        'none',
        'NONE',
        'None',
        'nOne',
        '',
        null,
        undefined,
        0,
        ['ES256'],
        { alg: 'ES256' },
        'ES384',
        'RS256',
        'HS256',
      ]) {
        expect(await inactive(`${part({ ...header, alg })}.${part(claims)}.`)).to.equal(true);
        expect(await inactive(`${part({ ...header, alg })}.${part(claims)}.${signature}`)).to.equal(true);
      }
    });

    it('by using a public key as the secret of an HMAC is refused', async () => {
      const { claims } = pieces();
      const { keys } = (await harness.get('/oauth2/jwks')).json();
      for (const jwk of keys) {
        for (const secret of [JSON.stringify(jwk), jwk.x ?? jwk.n]) {
          const forged = await new SignJWT(claims)
            .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid })
            .sign(Buffer.from(String(secret).padEnd(64)));
          expect(await inactive(forged)).to.equal(true);
        }
      }
    });

    it('with a key of its own, brought along or named, is refused', async () => {
      const { claims, header } = pieces();
      const { privateJwk = {} } = keyed;
      const key = (await importJWK(privateJwk, 'ES256')) as CryptoKey;
      const { d: _, ...jwk } = privateJwk;
      for (const extra of [
        {},
        { jwk },
        { jku: 'https://evil.example/jwks' },
        { x5u: 'https://evil.example/x5u' },
        { kid: privateJwk.kid },
        { kid: undefined },
        { kid: '../../etc/passwd' },
        { kid: "' or '1'='1" },
        { kid: '__proto__' },
        { kid: 'https://evil.example' },
        { kid: 1 },
      ]) {
        const forged = await new SignJWT(claims)
          .setProtectedHeader({ ...header, alg: 'ES256', ...(extra as object) })
          .sign(key);
        expect(await inactive(forged)).to.equal(true);
      }
    });

    it('by changing a claim, the header or the signature is refused', async () => {
      const { header, claims, signature } = pieces();
      for (const change of [
        { sub: 'acc_other' },
        { scope: 'read write admin' },
        { aud: opaque.identifier },
        { client_id: 'demo-web' },
        { exp: 9_999_999_999 },
      ])
        expect(await inactive(`${part(header)}.${part({ ...claims, ...change })}.${signature}`)).to.equal(true);
      for (const change of [
        { typ: 'JWT' },
        { typ: undefined },
        { crit: ['x'], x: 1 },
        { b64: false, crit: ['b64'] },
        { zip: 'DEF' },
      ])
        expect(await inactive(`${part({ ...header, ...change })}.${part(claims)}.${signature}`)).to.equal(true);
      expect(await inactive(`${part(header)}.${part(claims)}.${signature.slice(0, -2)}`)).to.equal(true);
      expect(await inactive(`${part(header)}.${part(claims)}.${'A'.repeat(86)}`)).to.equal(true);
    });

    it('in a shape no JWT has is refused, and quickly', async () => {
      const { header, claims, signature } = pieces();
      const raw = (text: string) => Buffer.from(text).toString('base64url');
      const deep = `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`;
      for (const value of [
        `${raw('{"alg":"ES256","alg":"none","typ":"at+jwt"}')}.${part(claims)}.${signature}`,
        `${raw(deep)}.${part(claims)}.${signature}`,
        `${part(header)}.${raw(deep)}.${signature}`,
        `${part({ ...header, pad: 'x'.repeat(40_000) })}.${part(claims)}.${signature}`,
        `${part(header)}.${raw(`{"exp":1e400,"sub":"x"}`)}.${signature}`,
        `${Buffer.from([0xff, 0xfe]).toString('base64url')}.${part(claims)}.${signature}`,
        `${part(header)}.${Buffer.from([0xc3, 0x28]).toString('base64url')}.${signature}`,
        `${raw('null')}.${raw('null')}.${signature}`,
        `${raw('[]')}.${raw('[]')}.${signature}`,
        `${part(header)}.${part(claims)}.${signature}.x`,
        `${part(header)}.${part(claims)}.${signature}.x.y`,
        '..',
        'a..b',
      ]) {
        const started = performance.now();
        expect(await inactive(value)).to.equal(true);
        // Three requests; a slow machine has room, a slow regular expression has not.
        expect(performance.now() - started).to.be.lessThan(1000);
      }
    });

    it('from another issuer that uses the same key is refused', async () => {
      const { claims } = pieces();
      const signer = harness.services.keySet.signer('ES256');
      const sign = (changes: object, typ = 'at+jwt') =>
        new SignJWT({ ...claims, ...changes })
          .setProtectedHeader({ alg: 'ES256', typ, kid: signer.kid })
          .sign(signer.privateKey);
      expect(await inactive(await sign({}))).to.equal(false);
      for (const changes of [
        { iss: 'https://evil.example' },
        { iss: undefined },
        { exp: 1 },
        { exp: undefined },
        { nbf: 9_999_999_999 },
        { jti: undefined },
        { client_id: undefined },
        { aud: undefined },
        { sub: undefined },
        { gid: 'unknown grant' },
      ])
        expect([changes, await inactive(await sign(changes))]).to.deep.equal([changes, true]);
      for (const typ of ['JWT', 'logout+jwt', 'dpop+jwt', 'AT', 'secevent+jwt'])
        expect(await inactive(await sign({}, typ))).to.equal(true);
    });

    it('as an id token hint is refused', async () => {
      const claims = claimsOf(kinds['id token'] ?? '');
      const none = `${part({ alg: 'none' })}.${part(claims)}.`;
      const hs = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(Buffer.from((web.secret ?? '').padEnd(32)));
      for (const hint of [none, hs]) expect(await consumers['sign-out as id_token_hint']?.send(hint)).to.equal(false);
    });
  });

  it('can be tried at revocation without effect', async () => {
    for (const [kind, value] of Object.entries(kinds)) {
      if (kind === 'refresh token' || kind.startsWith('access')) continue;
      expect((await revoke(harness, web, value)).status).to.equal(200);
    }
    expect((await introspect(harness, web, kinds['refresh token'] ?? '')).json().active).to.equal(true);
  });

  it('that is a code works at the token endpoint, once all others were refused there', async () => {
    const authorized = await authorize(harness, web, { scope: 'openid' });
    expect((await redeem(harness, web, authorized)).status).to.equal(200);
  });
});
