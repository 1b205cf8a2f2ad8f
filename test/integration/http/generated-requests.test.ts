import { expect } from 'chai';
import fc from 'fast-check';
import { ADA, Browser } from '../../support/browser.ts';
import {
  API,
  assertion,
  authorization,
  basic,
  createClient,
  createResource,
  introspect,
  redeem,
  type TestClient,
  type Tokens,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import { anyRequest, type Door, filledIn } from './arbitrary-requests.ts';

/** Fixed, so that a failure is found again; GATEHOUSE_TEST_SEED tries others. */
const SEED = Number(process.env.GATEHOUSE_TEST_SEED ?? 20_261_122);
/** Requests that are under way together. */
const AT_ONCE = 20;
const CALLBACK = 'http://127.0.0.1:8080/callback';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function expectOAuthJson(reply: Reply): void {
  if (reply.status < 400 || reply.text === '') return;
  expect(reply.headers['content-type']).to.match(/^application\/json/);
  expect(reply.json().error).to.match(/^[a-z_]+$/);
  expect(reply.json().error_description ?? 'x').to.match(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
}

/** A page, or a redirect to us or to the registered address. */
function expectPageOrRedirect(reply: Reply, issuer: string, callback: string): void {
  const { location } = reply.headers;
  if (reply.status >= 300 && reply.status < 400 && location !== undefined) {
    const { origin, href } = new URL(location, issuer);
    expect(origin === new URL(issuer).origin || href.startsWith(callback), location).to.equal(true);
    expect(reply.status).to.equal(303);
  } else if (reply.status >= 400 && reply.text !== '') {
    expect(reply.headers['content-type']).to.match(/^(text\/html|application\/(problem\+)?json)/);
    expect(reply.text).to.not.contain('<script>alert(1)');
  }
}

for (const [stores, amount] of [
  ['SQLite', 10_000],
  ['PostgreSQL and Redis', 1000],
] as const) {
  describe(`${amount} generated requests per endpoint, on ${stores} (seed ${SEED})`, () => {
    let harness: Harness;
    let web: TestClient;
    let keyed: TestClient;
    let signedIn: Browser;
    let values: string[];
    let authorizations: string[];
    const timings: string[] = [];

    before(async function () {
      const env: Record<string, string> = { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' };
      if (amount < 10_000) {
        env.DATABASE_URL = await (await requirePart('postgres', this)).createDatabase();
        env.REDIS_URL = (await requirePart('redis', this)).url;
      }
      // All of them come from one address.
      harness = await startHarness({ env: { ...env, GATEHOUSE_AUTHORIZATIONS: '1000000' } });
      const opaque = await createResource(harness);
      web = await createClient(harness, {
        resources: [API, opaque.identifier],
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      });
      keyed = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
      signedIn = new Browser(harness);
      await signedIn.complete(
        authorization(harness, web, { scope: 'openid read offline_access', resource: [API, opaque.identifier] }).url,
      );
      values = [
        API,
        opaque.identifier,
        'openid',
        'read',
        'openid read offline_access',
        'demo-web',
        'demo-spa',
        web.id,
        CALLBACK,
        'PLACE-code',
        'PLACE-refresh',
        'PLACE-access',
        'PLACE-id',
        'PLACE-assertion',
      ];
      authorizations = [
        basic('demo-machine', 'demo-machine-secret'),
        basic('demo-api', 'demo-api-secret'),
        basic('demo-web', 'wrong'),
        basic('nobody', 'x'),
        basic(web.id, web.secret ?? ''),
        'Bearer PLACE-access',
      ];
    });
    after(async () => {
      const errors = harness?.log.filter(({ level }) => level === 'error' || level === 'fatal') ?? [];
      await harness?.[Symbol.asyncDispose]();
      console.log(`      median ms per request, ${AT_ONCE} at once: ${timings.join(', ')}`);
      expect(errors.slice(0, 3)).to.deep.equal([]);
    });

    /** A code, and the tokens of another, that nobody has used yet. */
    async function freshCredentials(): Promise<Record<string, string>> {
      const ask = async () => {
        const request = authorization(harness, web, { scope: 'openid read offline_access', resource: API });
        const page = await signedIn.open(request.url);
        return { request, page, code: page.answer.get('code') ?? '', browser: signedIn };
      };
      const waiting = await ask();
      const tokens = (await redeem(harness, web, await ask())).json() as Tokens;
      return {
        code: waiting.code,
        verifier: waiting.request.verifier,
        refresh: tokens.refresh_token,
        access: tokens.access_token,
        id: tokens.id_token,
        assertion: await assertion(harness, keyed),
      };
    }

    async function hammer(door: Door, arrive: () => Promise<Record<string, string>> = async () => ({})): Promise<void> {
      const durations: number[] = [];
      const seen = new Set<number>();
      const batch = fc.array(anyRequest(door), { minLength: AT_ONCE, maxLength: AT_ONCE });
      const property = fc.asyncProperty(batch, async (requests) => {
        const places = await arrive();
        await Promise.all(
          requests.map(async (request) => {
            const { path, headers, ...rest } = filledIn(request, places);
            const cookie: Record<string, string> = places.cookie === undefined ? {} : { cookie: places.cookie };
            const started = performance.now();
            const reply = await harness.sendRaw(path, { ...rest, headers: { ...cookie, ...headers } });
            durations.push(performance.now() - started);
            seen.add(reply.status);
            expect(reply.status).to.be.lessThan(500);
            door.check(reply);
          }),
        );
      });
      await fc.assert(property, { numRuns: (amount * (door.share ?? 1)) / AT_ONCE, seed: SEED });
      expect([...seen], door.name).to.include.members(door.reaches);
      const median = durations.sort((a, b) => a - b)[durations.length >> 1] ?? 0;
      timings.push(`${door.name} ${(median / AT_ONCE).toFixed(2)}`);
      // Only something pathological takes seconds.
      expect(median).to.be.lessThan(2000);
    }

    it('the token endpoint answers in OAuth JSON and never fails', async function () {
      this.timeout(180_000);
      const code = {
        grant_type: 'authorization_code',
        code: 'PLACE-code',
        redirect_uri: CALLBACK,
        code_verifier: 'PLACE-verifier',
      };
      const refresh = { grant_type: 'refresh_token', refresh_token: 'PLACE-refresh' };
      const own = { grant_type: 'client_credentials', scope: 'read', resource: API };
      const inHeader = { authorization: basic(web.id, web.secret ?? '') };
      const proof = { client_assertion_type: ASSERTION_TYPE, client_assertion: 'PLACE-assertion' };
      const door: Door = {
        name: 'token',
        method: 'POST',
        path: '/oauth2/token',
        templates: [
          { fields: code, ...inHeader },
          { fields: refresh, ...inHeader },
          { fields: { ...refresh, scope: 'read', resource: API }, ...inHeader },
          { fields: own, ...inHeader },
          { fields: { ...own, ...proof } },
          { fields: { ...refresh, client_id: 'demo-spa' } },
        ],
        parameters: [
          'grant_type',
          'code',
          'redirect_uri',
          'code_verifier',
          'refresh_token',
          'scope',
          'resource',
          'client_id',
          'client_secret',
          'client_assertion',
          'client_assertion_type',
        ],
        values: ['authorization_code', 'refresh_token', 'client_credentials', ASSERTION_TYPE, ...values],
        authorizations,
        reaches: [200, 400, 401, 405, 413, 415],
        check(reply) {
          expectOAuthJson(reply);
          if (reply.text !== '') expect(reply.headers['cache-control']).to.equal('no-store');
          if (reply.status === 200) expect(reply.json().token_type).to.equal('Bearer');
        },
      };
      await hammer(door, freshCredentials);
    });

    for (const name of ['introspection', 'revocation'] as const) {
      it(`the ${name} endpoint answers in OAuth JSON and never fails`, async function () {
        this.timeout(180_000);
        const inHeader = { authorization: basic(web.id, web.secret ?? '') };
        const places = await freshCredentials();
        const door: Door = {
          name,
          method: 'POST',
          path: name === 'introspection' ? '/oauth2/introspect' : '/oauth2/revoke',
          templates: [
            ...['PLACE-access', 'PLACE-refresh', 'PLACE-code', 'PLACE-id', 'x'].map((token) => ({
              fields: { token },
              ...inHeader,
            })),
            {
              fields: { token: 'PLACE-access', token_type_hint: 'access_token' },
              authorization: basic('demo-api', 'demo-api-secret'),
            },
            { fields: { token: 'PLACE-access', client_id: 'demo-spa' } },
          ],
          parameters: [
            'token',
            'token_type_hint',
            'client_id',
            'client_secret',
            'client_assertion',
            'client_assertion_type',
          ],
          values: ['access_token', 'refresh_token', ...values],
          authorizations,
          reaches: [200, 400, 401, 405, 413, 415],
          check(reply) {
            expectOAuthJson(reply);
            if (reply.status !== 200 || reply.text === '') return;
            if (name === 'introspection') expect(reply.json().active).to.be.a('boolean');
          },
        };
        await hammer(door, name === 'revocation' ? freshCredentials : async () => places);
        // The places of introspection are never used up.
        if (name === 'introspection')
          expect((await introspect(harness, web, places.refresh ?? '')).json().active).to.equal(true);
      });
    }

    it('the userinfo endpoint answers in OAuth JSON and never fails', async function () {
      this.timeout(180_000);
      const request = authorization(harness, web, { scope: 'openid' });
      const page = await signedIn.open(request.url);
      const authorized = { request, page, code: page.answer.get('code') ?? '', browser: signedIn };
      const { access_token } = (await redeem(harness, web, authorized)).json() as Tokens;
      const places = { ...(await freshCredentials()), own: access_token };
      const door: Door = {
        name: 'userinfo',
        method: 'POST',
        path: '/oauth2/userinfo',
        templates: [
          { fields: {}, authorization: 'Bearer PLACE-own' },
          { fields: { access_token: 'PLACE-own' } },
          { fields: { scope: 'openid' }, authorization: 'Bearer PLACE-own' },
          { fields: {}, authorization: 'Bearer PLACE-access' },
        ],
        parameters: ['access_token', 'scope'],
        values: [...values, 'PLACE-own'],
        authorizations: [...authorizations, 'Bearer PLACE-refresh', 'Bearer PLACE-id', 'DPoP PLACE-own', 'Bearer'],
        reaches: [200, 400, 401, 405],
        check: expectOAuthJson,
      };
      await hammer(door, async () => places);
    });

    it('the authorization endpoint shows a page or goes to a registered address, and never fails', async function () {
      this.timeout(180_000);
      const right = authorization(harness, web, { scope: 'openid read', state: 's', nonce: 'n' }).parameters as Record<
        string,
        string
      >;
      const places = await freshCredentials();
      const door: Door = {
        name: 'authorize',
        method: 'GET',
        path: '/oauth2/authorize',
        templates: [
          { fields: right },
          { fields: { ...right, prompt: 'none' } },
          { fields: { ...right, prompt: 'login', max_age: '60', login_hint: ADA.email } },
          { fields: { ...right, id_token_hint: 'PLACE-id', response_mode: 'form_post' } },
          {
            fields: {
              ...right,
              claims: '{"userinfo":{"email":{"essential":true}},"id_token":{"auth_time":null}}',
              resource: API,
            },
          },
        ],
        parameters: [
          'scope',
          'state',
          'nonce',
          'code_challenge',
          'code_challenge_method',
          'prompt',
          'max_age',
          'login_hint',
          'id_token_hint',
          'claims',
          'resource',
          'response_mode',
          'ui_locales',
          'acr_values',
          'display',
          'request',
          'request_uri',
          'registration',
          'response_type',
          'redirect_uri',
          'client_id',
        ],
        values: [
          'S256',
          'plain',
          'none',
          'login',
          'consent',
          'form_post',
          'fragment',
          'query',
          '0',
          '60',
          '{"id_token":{"acr":{"essential":true,"values":["x"]}}}',
          '{"id_token":{"sub":{"value":"x"}}}',
          '{"id_token":{"acr":{"values":1}}}',
          ...values,
        ],
        reaches: [200, 303, 400, 405],
        check: (reply) => expectPageOrRedirect(reply, harness.issuer, CALLBACK),
      };
      let signed = false;
      await hammer(door, async () => {
        signed = !signed;
        const cookie = signedIn.jar.header(new URL(harness.url('/oauth2/authorize')));
        return { ...places, ...(signed ? { cookie } : {}) };
      });
    });

    it('sign-out shows a page or goes to a registered address, and never fails', async function () {
      this.timeout(180_000);
      const places = await freshCredentials();
      const door: Door = {
        name: 'logout',
        method: 'GET',
        path: '/oauth2/logout',
        templates: [
          { fields: {} },
          { fields: { id_token_hint: 'PLACE-id', state: 's' } },
          { fields: { client_id: 'demo-web', post_logout_redirect_uri: 'http://127.0.0.1:8080/' } },
        ],
        parameters: ['id_token_hint', 'post_logout_redirect_uri', 'state', 'client_id', 'logout_hint', 'ui_locales'],
        values: ['http://127.0.0.1:8080/', ...values],
        reaches: [200, 400, 405],
        check: (reply) => expectPageOrRedirect(reply, harness.issuer, 'http://127.0.0.1:8080/'),
      };
      await hammer(door, async () => ({
        ...places,
        cookie: signedIn.jar.header(new URL(harness.url('/oauth2/logout'))),
      }));
    });

    it('the confirmation of sign-out shows a page or goes to a registered address, and never fails', async function () {
      this.timeout(180_000);
      const door: Door = {
        name: 'logout confirm',
        share: 0.2,
        method: 'POST',
        path: '/oauth2/logout/confirm',
        templates: [{ fields: { xsrf: 'PLACE-xsrf', logout: 'yes' } }, { fields: { xsrf: 'PLACE-xsrf' } }],
        parameters: ['xsrf', 'logout'],
        values: ['yes', 'no', ...values],
        reaches: [303, 400, 405],
        check: (reply) => expectPageOrRedirect(reply, harness.issuer, 'http://127.0.0.1:8080/'),
      };
      await hammer(door, async () => {
        const browser = new Browser(harness);
        await browser.open(
          `${harness.url('/oauth2/logout')}?client_id=demo-web&post_logout_redirect_uri=http://127.0.0.1:8080/`,
        );
        const cookie = browser.jar.header(new URL(harness.url('/oauth2/logout/confirm')));
        return { xsrf: browser.page.forms[0]?.fields.xsrf ?? '', cookie };
      });
    });

    for (const path of ['/oauth2/jwks', '/.well-known/openid-configuration', '/', '/nothing-here']) {
      it(`${path} never fails`, async function () {
        this.timeout(180_000);
        await hammer({
          name: path,
          // Nobody's input is read there.
          ...(path === '/' || path === '/nothing-here' ? { share: 0.1 } : {}),
          method: 'GET',
          path,
          templates: [{ fields: {} }, { fields: { x: '1' } }],
          parameters: ['x', 'callback'],
          values: ['x'],
          reaches: path === '/nothing-here' ? [404] : [200, 405],
          check: (reply) => expect(reply.status).to.be.oneOf([200, 204, 304, 400, 404, 405, 413, 415]),
        });
      });
    }

    it('the sign-in and consent forms show a page or go on, and never fail', async function () {
      this.timeout(240_000);
      const door: Door = {
        name: 'forms',
        method: 'POST',
        path: '/interaction/PLACE-uid/PLACE-action',
        templates: [
          { fields: { csrf: 'PLACE-csrf', email: 'nobody@example.com', password: 'wrong password' } },
          { fields: { csrf: 'PLACE-csrf' } },
        ],
        parameters: ['csrf', 'email', 'password', 'x'],
        values: ['nobody@example.com', ADA.email, 'wrong password', 'PLACE-csrf', '', ' '],
        reaches: [303, 400, 403, 413, 415, 422],
        check: (reply) => expectPageOrRedirect(reply, harness.issuer, CALLBACK),
      };
      let round = 0;
      await hammer(door, async () => {
        round += 1;
        const action = ['sign-in', 'consent', 'sign-in', 'cancel', 'sign-in', 'switch-account'][round % 6] ?? '';
        const prompt = action === 'sign-in' ? 'login' : 'consent';
        const browser = new Browser(harness, signedIn.jar.clone());
        const page = await browser.open(authorization(harness, web, { prompt }).url);
        const [, uid = ''] = /\/interaction\/([^/]+)/.exec(page.url) ?? [];
        const cookie = browser.jar.header(new URL(`${page.url}/${action}`));
        return { uid, action, cookie, csrf: page.forms[0]?.fields.csrf ?? '' };
      });
    });
  });
}
