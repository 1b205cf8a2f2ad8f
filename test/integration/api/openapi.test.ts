import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import type { JsonSchema, OpenApiDocument, OpenApiResponse } from '../../../src/endpoints/api/openapi-types.ts';
import { type Call, call, good, newPerson, type Person } from '../../support/api-client.ts';
import { USER } from '../../support/client-flows.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const run = promisify(execFile);
const KEY_OF_A_PROVIDER = 'sk-proj-abcdefghijklmnopqrstuvwxyz';

describe('the OpenAPI document of a running server', () => {
  let harness: Harness;
  let document: OpenApiDocument;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_SIGN_UP: 'open' } });
    document = (await get()).json();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** Past the memory of the harness, which would take the codes of its examples for authorization codes. */
  const get = (headers: Record<string, string> = {}) => harness.sendRaw('/v1/openapi.json', { headers });

  it('is public, cached shortly and sent once, and names this server', async () => {
    const first = await get();
    expect(first.status).to.equal(200);
    expect(first.headers['content-type']).to.equal('application/json; charset=utf-8');
    expect(first.headers['cache-control']).to.equal('public, max-age=300');
    expect(first.headers['access-control-allow-origin']).to.equal('*');
    const { etag = '' } = first.headers;
    const again = await get({ 'if-none-match': etag });
    expect([again.status, again.text]).to.deep.equal([304, '']);
    expect((await get({ 'if-none-match': '"other"' })).status).to.equal(200);
    const head = await harness.send('/v1/openapi.json', { method: 'HEAD' });
    expect([head.status, head.headers.etag, head.text]).to.deep.equal([200, etag, '']);
    expect((await harness.send('/v1/openapi.json', { method: 'POST' })).status).to.equal(405);
    expect(document.servers).to.deep.equal([{ url: harness.issuer }]);
  });

  it('is shown on a page that runs no script', async () => {
    const page = await harness.get('/v1/docs', { accept: 'text/html' });
    expect(page.status).to.equal(200);
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    expect(page.headers['cache-control']).to.equal('public, max-age=300');
    expect(page.headers['content-security-policy'])
      .to.include("default-src 'none'")
      .and.include("script-src 'none'")
      .and.not.include('unsafe');
    const again = await harness.get('/v1/docs', { 'if-none-match': page.headers.etag ?? '' });
    expect([again.status, again.text]).to.deep.equal([304, '']);
    const home = await harness.get('/', { accept: 'text/html' });
    expect(home.text).to.include('href="/v1/docs"');
  });

  it('links below an issuer with a path', async () => {
    await using mounted = await startHarness({ env: { ISSUER: 'http://localhost:PORT/auth' }, demo: false });
    const page = await mounted.get('/v1/docs', { accept: 'text/html' });
    const links = [...page.text.matchAll(/(?:href|src)="([^"#]+)/g)].map(([, link = '']) => link);
    expect(links).to.include('/auth/v1/openapi.json');
    for (const link of links) {
      expect(link).to.match(/^\/auth\//);
      expect((await mounted.sendRaw(link)).status, link).to.equal(200);
    }
    const { servers } = (await mounted.sendRaw('/auth/v1/openapi.json')).json();
    expect(servers).to.deep.equal([{ url: mounted.issuer }]);
  });

  it('names the cookies that a sign-in sets', async () => {
    const reply = await call(harness, 'POST /v1/auth/login', {
      headers: { 'sec-fetch-site': 'same-origin' },
      body: { ...USER, mode: 'cookies' },
    });
    const set = reply.cookies.map((cookie) => cookie.split('=')[0]);
    const { cookie, 'refresh-cookie': refresh } = document.components.securitySchemes;
    expect(set).to.include(cookie?.name).and.include(refresh?.name);
  });

  it('gives curl commands that work as they stand', async () => {
    const path = new Map(
      Object.values(document.paths)
        .flatMap((methods) => Object.values(methods))
        .map((operation) => [operation.operationId, operation['x-codeSamples'][0]?.source ?? '']),
    );
    const sh = async (name: string, env: Record<string, string> = {}) => {
      const { stdout } = await run('sh', ['-c', `${path.get(name)} -sS`], { env: { PATH: process.env.PATH, ...env } });
      return stdout === '' ? null : JSON.parse(stdout);
    };
    const { access_token: ACCESS_TOKEN } = await sh('login');
    harness.keepSecret(ACCESS_TOKEN);
    const made = await sh('createApiKey', { API_KEY: ACCESS_TOKEN });
    harness.keepSecret(made.key);
    expect(made.name).to.equal('Production server');
    expect((await sh('verify', { API_KEY: made.key })).key_id).to.equal(made.id);
    expect((await sh('verifyByPost', { API_KEY: made.key })).key_id).to.equal(made.id);
    expect((await sh('listApiKeys', { API_KEY: ACCESS_TOKEN })).data[0].id).to.equal(made.id);
    expect((await sh('listSessions', { ACCESS_TOKEN })).data).not.to.have.length(0);
    expect((await sh('usage', { API_KEY: ACCESS_TOKEN })).totals).to.include.keys('allowed');
    expect(await sh('forwardAuth', { API_KEY: made.key })).to.equal(null);
    expect((await sh('getApiKey', { API_KEY: ACCESS_TOKEN })).code).to.equal('not_found');
  });

  describe('says what is answered', () => {
    let described: ReturnType<typeof describer>;
    let ada: Person;
    before(async () => {
      described = describer(document);
      ada = await newPerson(harness);
    });

    /** Sends a request and holds its answer against the document. */
    async function ask(operation: string, path: string, status: number, request: Call = {}) {
      const [method = '', pattern = ''] = operation.split(' ');
      const reply = await call(harness, `${method} ${path}`, request);
      expect(reply.status, reply.text).to.equal(status);
      expect(described(method, pattern, reply), `${operation} ${status}: ${reply.text}`).to.deep.equal([]);
      return reply.text === '' ? null : reply.json();
    }
    const as = (person: Person, body?: object): Call => ({ as: person.token, ...(body ? { body } : {}) });

    it('for accounts and sign-ins', async () => {
      const body = { email: 'documented@example.com', password: 'a long enough password' };
      harness.keepSecret(body.password);
      await ask('POST /v1/auth/sign-up', '/v1/auth/sign-up', 201, { body });
      await ask('POST /v1/auth/sign-up', '/v1/auth/sign-up', 409, { body });
      const tokens = await ask('POST /v1/auth/login', '/v1/auth/login', 200, { body });
      await ask('POST /v1/auth/login', '/v1/auth/login', 401, { body: { ...body, password: 'not that one at all' } });
      await ask('POST /v1/auth/login', '/v1/auth/login', 400, { body: { ...body, colour: 'red' } });
      await ask('POST /v1/auth/refresh', '/v1/auth/refresh', 200, { body: { refresh_token: tokens.refresh_token } });
      await ask('POST /v1/auth/refresh', '/v1/auth/refresh', 401, { body: { refresh_token: 'x'.repeat(43) } });
      await ask('GET /v1/auth/me', '/v1/auth/me', 200, { as: tokens.access_token });
      await ask('GET /v1/auth/me', '/v1/auth/me', 401);
      const { data } = await ask('GET /v1/auth/sessions', '/v1/auth/sessions', 200, { as: tokens.access_token });
      const path = `/v1/auth/sessions/${data[0].id}`;
      await ask('DELETE /v1/auth/sessions/{id}', '/v1/auth/sessions/ses_none', 404, as(ada));
      await ask('DELETE /v1/auth/sessions/{id}', path, 204, { as: tokens.access_token });
    });

    it('for API keys and whoever verifies them', async () => {
      const limit = { quota: 1000, window_seconds: 60 };
      const again = { 'idempotency-key': 'once' };
      const made = await ask('POST /v1/api-keys', '/v1/api-keys', 201, {
        ...as(ada, { name: 'Documented', scopes: ['read'], limit }),
        headers: again,
      });
      harness.keepSecret(made.key);
      await ask('POST /v1/api-keys', '/v1/api-keys', 422, { ...as(ada, { name: 'Other' }), headers: again });
      await ask('GET /v1/api-keys', '/v1/api-keys?limit=1', 200, as(ada));
      await ask('GET /v1/api-keys', '/v1/api-keys?limit=none', 400, as(ada));
      await ask('GET /v1/api-keys', '/v1/api-keys', 403, { as: made.key });
      const path = `/v1/api-keys/${made.id}`;
      await ask('GET /v1/api-keys/{id}', path, 200, as(ada));
      await ask('GET /v1/api-keys/{id}', '/v1/api-keys/key_none', 404, as(ada));
      await ask('PATCH /v1/api-keys/{id}', path, 200, as(ada, { name: 'Renamed', limit: null }));
      const rotated = await ask('POST /v1/api-keys/{id}/rotate', `${path}/rotate`, 200, as(ada, {}));
      harness.keepSecret(rotated.key);
      expect(rotated.previous_secret).to.be.an('object');
      await ask('GET /v1/auth/verify', '/v1/auth/verify?environment=live', 200, { as: rotated.key });
      await ask('POST /v1/auth/verify', '/v1/auth/verify', 200, { body: { credential: made.key } });
      const body = { credential: rotated.key, required_scopes: ['write'] };
      await ask('POST /v1/auth/verify', '/v1/auth/verify', 403, { body });
      await ask('DELETE /v1/api-keys/{id}', path, 200, as(ada));
      await ask('POST /v1/leaks', '/v1/leaks', 200, { body: { key: rotated.key } });
      await ask('GET /v1/usage', '/v1/usage?interval=hour', 200, as(ada));
    });

    it('for provider keys and clients', async () => {
      await ask('GET /v1/providers', '/v1/providers', 200);
      const body = { provider: 'openai', value: KEY_OF_A_PROVIDER };
      const { id } = await ask('POST /v1/provider-keys', '/v1/provider-keys', 201, as(ada, body));
      await ask('POST /v1/provider-keys', '/v1/provider-keys', 409, as(ada, body));
      await ask('GET /v1/provider-keys', '/v1/provider-keys', 200, as(ada));
      await ask('PATCH /v1/provider-keys/{id}', `/v1/provider-keys/${id}`, 200, as(ada, { label: 'Team' }));
      await ask('POST /v1/provider-keys/{id}/default', `/v1/provider-keys/${id}/default`, 200, as(ada));
      await ask('DELETE /v1/provider-keys/{id}', `/v1/provider-keys/${id}`, 204, as(ada));
      await ask('POST /v1/provider-keys/resolve', '/v1/provider-keys/resolve', 401, {
        body: { credential: ada.token, provider: 'openai' },
      });
      const client = await ask('POST /v1/clients', '/v1/clients', 201, as(ada, { name: 'Nightly import' }));
      harness.keepSecret(client.client_secret);
      const path = `/v1/clients/${client.client_id}`;
      const rotated = await ask('POST /v1/clients/{id}/rotate', `${path}/rotate`, 200, as(ada, {}));
      harness.keepSecret(rotated.client_secret);
      await ask('GET /v1/clients', '/v1/clients', 200, as(ada));
      await ask('DELETE /v1/clients/{id}', path, 204, as(ada));
    });

    it('for the question of a proxy', async () => {
      const { key } = await good(call(harness, 'POST /v1/api-keys', as(ada, { name: 'Asked' })));
      harness.keepSecret(key);
      await ask('GET /forward-auth', '/forward-auth?scope=read', 200, { as: key });
      await ask('GET /forward-auth', '/forward-auth?scope=manage', 403, { as: key });
      await ask('GET /forward-auth', '/forward-auth', 401);
      await ask('GET /forward-auth', '/forward-auth?colour=red', 400, { as: key });
    });
  });
});

/** Says what the document does not say of an answer: its status, type, headers of its own and every member. */
function describer(document: OpenApiDocument): (method: string, path: string, reply: Reply) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const schemas = closed(document.components.schemas as unknown as JsonSchema);
  ajv.addSchema({ $id: 'https://document.example/', components: { schemas } });
  const compiled = new Map<string, ValidateFunction>();

  return (method, path, { status, headers, text }) => {
    const operation = document.paths[path]?.[method.toLowerCase()];
    const response = operation?.responses[String(status)] as OpenApiResponse | undefined;
    if (!response) return [`no ${status} is documented`];
    const problems = Object.keys(headers)
      .filter((name) => /^(x-auth-|ratelimit|www-authenticate|retry-after)/.test(name) && name !== 'x-auth-error')
      .filter((name) => !Object.keys(response.headers ?? {}).some((known) => known.toLowerCase() === name))
      .filter((name) => status === 200 || !name.startsWith('x-auth-'))
      .map((name) => `the header ${name} is not documented`);
    const [type, media] = Object.entries(response.content ?? {})[0] ?? [];
    if (!type || !media) return text === '' ? problems : [...problems, 'no content is documented'];
    if (!headers['content-type']?.startsWith(type)) problems.push(`the type is ${headers['content-type']}`);
    const source = JSON.stringify(closed(media.schema)).replaceAll('"#/', '"https://document.example/#/');
    const validate = compiled.get(source) ?? ajv.compile(JSON.parse(source));
    compiled.set(source, validate);
    if (!validate(JSON.parse(text))) problems.push(ajv.errorsText(validate.errors));
    return problems;
  };
}

/** For clients answers may have more members; for us each of them is documented. */
function closed(schema: JsonSchema): JsonSchema {
  return JSON.parse(
    JSON.stringify(schema, (_, value: JsonSchema | null) =>
      value?.type === 'object' && value.properties ? { ...value, additionalProperties: false } : value,
    ),
  );
}
