import Anthropic from '@anthropic-ai/sdk';
import AnthropicBefore1 from 'anthropic-sdk-0';
import { expect } from 'chai';
import OpenAI from 'openai';
import { basic, createClient, type TestClient } from '../../support/builders.ts';
import { type Exchange, snippetOf, substituted, unusedSnippets } from '../../support/snippets.ts';
import {
  type Arrival,
  apiKeyOf,
  bearer,
  good,
  json,
  type PublishedApi,
  pageOf,
  publish,
  signedIn,
} from './published-api.ts';

const PAGE = pageOf('memoryrouter');
const HOST = 'https://api.memoryrouter.ai';
const MEMORY_KEY = 'mk_xxxxxxxxxxxxxxxx';
const STORED = 'sk-stored-openai-key-0123456789';
/** Where nginx swaps the keys itself. */
const SWAPPED = '/openai/v1/chat/completions';
const PASSED = 'sk-passed-openai-key-0123456789';

/**
 * The page's Python uses the vendor's SDK, which is not part of Python. This stands in for it and sends what the SDK sends: the
 * same request as the vendor's JavaScript SDK, which a test below compares.
 */
const PYTHON_SDK = `
import json, urllib.error, urllib.request

class OpenAI:
    def __init__(self, api_key, base_url, default_headers={}):
        self.api_key, self.base_url, self.default_headers = api_key, base_url, default_headers

    def chat(self, model):
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
        headers = {"Authorization": "Bearer " + self.api_key, "Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.base_url + "/chat/completions", body, {**headers, **self.default_headers})
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code
`;

describe('memoryrouter: the published page', () => {
  let api: PublishedApi;
  let router: TestClient;
  let user: Awaited<ReturnType<typeof signedIn>>;
  let memoryKey: string;
  /** What the product last learned to send to the provider. */
  let resolved: { header: string; value: string; source: string; provider: string };

  /** The product's own server: it takes the provider from the model and asks Gatehouse for the user's key. */
  async function answer({ url, headers, body }: Arrival): Promise<{ status: number; body: object }> {
    if (url === SWAPPED) return { status: 200, body: { ok: true } };
    // The page's bodies hold an ellipsis, so they are no JSON.
    const provider = /"model":\s*"([^"/]+)\//.exec(body)?.[1] ?? 'openai';
    const authorization = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    const memory = headers['x-memory-key'];
    // The table of headers: beside X-Memory-Key, Authorization is the provider's, unless it holds a Memory Key.
    const providers = memory === undefined || authorization?.startsWith('mk_') ? undefined : authorization;
    const passed = headers['x-provider-key'] ?? providers;
    const reply = await json(
      api.harness,
      'POST',
      '/v1/provider-keys/resolve',
      {
        credential: memory ?? authorization ?? headers['x-api-key'],
        provider,
        ...(passed === undefined ? {} : { provider_key: passed }),
      },
      { authorization: basic(router.id, router.secret ?? '') },
    );
    if (reply.status === 200) resolved = reply.json();
    return { status: reply.status, body: reply.status === 200 ? { ok: true } : reply.json() };
  }

  before(async function () {
    api = await publish(this, {
      dialect: 'memoryrouter',
      protect: '~ ^/v1/(chat/completions|messages)$',
      answer,
      // A gateway without a line of code: nginx swaps the Memory Key for the provider key.
      async locations({ harness, ask, denied, product }) {
        router = await createClient(harness, {
          grantTypes: ['client_credentials'],
          scopes: ['provider-keys:use'],
          resources: [harness.issuer],
        });
        return `
    location = /_swap {
      ${ask}
      proxy_set_header X-Gateway-Authorization "${basic(router.id, router.secret ?? '')}";
      proxy_pass http://127.0.0.1:${harness.config.port}/forward-auth?mode=nginx&provider=openai;
    }
    location = ${SWAPPED} {
      auth_request /_swap;
      ${denied}
      auth_request_set $provider_authorization $upstream_http_x_upstream_authorization;
      proxy_set_header Authorization $provider_authorization;
      proxy_set_header X-Api-Key "";
      proxy_set_header X-Memory-Key "";
      proxy_set_header X-Provider-Key "";
      proxy_pass ${product};
    }`;
      },
    });
    for (const secret of [STORED, PASSED, 'sk-ant-stored-0123456789']) api.harness.keepSecret(secret);
    user = await signedIn(api.harness);
    memoryKey = (await apiKeyOf(api.harness, user)).key;
    await store('openai', STORED);
    await store('anthropic', 'sk-ant-stored-0123456789');
  });
  after(() => api?.close());

  const store = async (provider: string, value: string) =>
    good(await json(api.harness, 'POST', '/v1/provider-keys', { provider, value }, bearer(user.token)));

  async function run(heading: string, substitutes: Record<string, string>, number?: number): Promise<Exchange> {
    const text = substituted(snippetOf(PAGE, 'bash', heading, number), { [HOST]: api.url, ...substitutes });
    const [reply, ...others] = await api.run.bash(text);
    if (!reply || others.length > 0) throw new Error(`not one answer:\n${text}`);
    return reply;
  }

  const documented = (heading: string): { status: number; body: object } => ({
    status: Number(heading.slice(0, 3)),
    body: JSON.parse(snippetOf(PAGE, 'json', heading)) as object,
  });
  const of = async (reply: Response): Promise<object> => ({ status: reply.status, body: await reply.json() });

  it('keys begin with mk_', () => {
    expect(memoryKey).to.match(/^mk_[0-9A-Za-z]{54}$/);
  });

  describe('the Memory Key', () => {
    it('by Authorization is the standard', async () => {
      const reply = await run('Standard (Authorization header):', { [MEMORY_KEY]: memoryKey });
      expect(reply.status, reply.text).to.equal(200);
      expect(resolved).to.include({ source: 'stored', header: 'Authorization', value: `Bearer ${STORED}` });
    });

    it('by x-api-key is for the Anthropic SDK', async () => {
      const reply = await run('Anthropic SDK style (x-api-key):', { [MEMORY_KEY]: memoryKey });
      expect(reply.status, reply.text).to.equal(200);
      expect(resolved).to.include({ source: 'stored', provider: 'anthropic', value: 'sk-ant-stored-0123456789' });
    });

    it('by X-Memory-Key leaves Authorization to the provider', async () => {
      const reply = await run('Using X-Memory-Key + Authorization:', {
        [MEMORY_KEY]: memoryKey,
        'sk-your-openai-key': PASSED,
      });
      expect(reply.status, reply.text).to.equal(200);
      expect(resolved).to.include({ source: 'passed-through', header: 'Authorization', value: `Bearer ${PASSED}` });
    });

    it('with X-Provider-Key passes that through in place of a stored one', async () => {
      for (const headers of [bearer(memoryKey), { 'x-api-key': memoryKey }, { 'x-memory-key': memoryKey }]) {
        const reply = await chat({ ...headers, 'x-provider-key': PASSED });
        expect(reply.status, JSON.stringify(Object.keys(headers))).to.equal(200);
        expect(resolved).to.include({ source: 'passed-through', value: `Bearer ${PASSED}` });
      }
    });

    it('by X-Memory-Key alone uses the stored provider key', async () => {
      expect((await chat({ 'x-memory-key': memoryKey })).status).to.equal(200);
      expect(resolved).to.include({ source: 'stored' });
    });

    it('tells the product which memory it is for: each key has its own', async () => {
      const [one, other] = [await apiKeyOf(api.harness, user), await apiKeyOf(api.harness, user)];
      const namespaces = [];
      for (const { key } of [one, other, one]) {
        expect((await chat(bearer(key))).status).to.equal(200);
        namespaces.push(api.arrivals.at(-1)?.headers['x-auth-namespace']);
      }
      expect(namespaces[0]).to.match(/^ns_/).and.equal(namespaces[2]);
      expect(namespaces[1]).to.match(/^ns_/).and.not.equal(namespaces[0]);
    });
  });

  describe('its Python', () => {
    const python = async (heading: string, substitutes: Record<string, string>, client = 'client'): Promise<number> => {
      const text = snippetOf(PAGE, 'python', heading);
      const program = `${substituted(text, { [HOST]: api.url, ...substitutes })}\nprint(${client}.chat("openai/gpt-4o"))\n`;
      return Number(await api.run.python(program, { prelude: PYTHON_SDK }));
    };
    /** What the product sees of a request: everything that says who asks, and for what. */
    const essence = ({ method, url, headers, body }: Arrival): object => ({
      method,
      url,
      authorization: headers.authorization,
      memoryKey: headers['x-memory-key'],
      contentType: headers['content-type'],
      body: JSON.parse(body),
    });
    const lastArrival = (): Arrival => {
      const arrival = api.arrivals.at(-1);
      if (!arrival) throw new Error('nothing arrived');
      return arrival;
    };
    const messages = [{ role: 'user' as const, content: 'Hello' }];

    it('with a stored provider key; the request is the one of the vendor’s JavaScript SDK', async () => {
      expect(await python('Option 1', { mk_xxx: memoryKey })).to.equal(200);
      expect(resolved).to.include({ source: 'stored', value: `Bearer ${STORED}` });
      const asPython = essence(lastArrival());
      const client = new OpenAI({ apiKey: memoryKey, baseURL: `${api.url}/v1`, fetch: api.fetch as typeof fetch });
      await client.chat.completions.create({ model: 'openai/gpt-4o', messages });
      expect(essence(lastArrival())).to.deep.equal(asPython);
    });

    it('with a provider key that is passed through; the request is the one of the vendor’s JavaScript SDK', async () => {
      const substitutes = { mk_xxxxxxxxxxxxxxxx: memoryKey, 'sk-your-openai-key': PASSED };
      expect(await python('Python example:', substitutes)).to.equal(200);
      expect(resolved).to.include({ source: 'passed-through', value: `Bearer ${PASSED}` });
      const asPython = essence(lastArrival());
      const client = new OpenAI({
        apiKey: PASSED,
        baseURL: `${api.url}/v1`,
        defaultHeaders: { 'X-Memory-Key': memoryKey },
        fetch: api.fetch as typeof fetch,
      });
      await client.chat.completions.create({ model: 'openai/gpt-4o', messages });
      expect(essence(lastArrival())).to.deep.equal(asPython);
    });

    it('with a key for each app', async () => {
      const other = (await apiKeyOf(api.harness, user)).key;
      const substitutes = { mk_app1_xxx: memoryKey, mk_app2_xxx: other };
      expect(await python('Multiple Memory Keys', substitutes, 'app1_client')).to.equal(200);
      const first = api.arrivals.at(-1)?.headers['x-auth-namespace'];
      expect(await python('Multiple Memory Keys', substitutes, 'app2_client')).to.equal(200);
      expect(api.arrivals.at(-1)?.headers['x-auth-namespace']).not.to.equal(first);
    });
  });

  describe('the Anthropic SDK', () => {
    const request = {
      model: 'anthropic/claude-3-5-sonnet',
      max_tokens: 10,
      messages: [{ role: 'user' as const, content: 'Hello' }],
    };
    const options = () => ({ apiKey: memoryKey, baseURL: api.url, fetch: api.fetch as typeof fetch });

    it('of the generation that the page knows sends the Memory Key by x-api-key', async () => {
      await new AnthropicBefore1(options()).messages.create(request);
      expect(api.arrivals.at(-1)?.headers).to.include({ 'x-api-key': memoryKey }).and.not.have.key('authorization');
      expect(resolved).to.include({ provider: 'anthropic', header: 'x-api-key', value: 'sk-ant-stored-0123456789' });
    });

    it('since its version 1 sends it by Authorization, which works as well', async () => {
      await new Anthropic(options()).messages.create(request);
      expect(api.arrivals.at(-1)?.headers).to.include(bearer(memoryKey)).and.not.have.key('x-api-key');
      expect(resolved).to.include({ provider: 'anthropic', header: 'x-api-key', value: 'sk-ant-stored-0123456789' });
    });
  });

  describe('nginx as a gateway that swaps keys', () => {
    const swapped = (headers: object): Promise<Response> => api.fetch(api.url + SWAPPED, { method: 'POST', headers });

    it('sends the provider its key and nothing of ours', async () => {
      for (const headers of [bearer(memoryKey), { 'x-api-key': memoryKey }, { 'x-memory-key': memoryKey }]) {
        expect((await swapped(headers)).status).to.equal(200);
        expect(api.arrivals.at(-1)?.headers.authorization).to.equal(`Bearer ${STORED}`);
        expect(JSON.stringify(api.arrivals.at(-1))).not.to.include(memoryKey);
      }
    });

    it('passes a key through that came along', async () => {
      expect((await swapped({ 'x-memory-key': memoryKey, ...bearer(PASSED) })).status).to.equal(200);
      expect(api.arrivals.at(-1)?.headers.authorization).to.equal(`Bearer ${PASSED}`);
      expect((await swapped({ ...bearer(memoryKey), 'x-provider-key': PASSED })).status).to.equal(200);
      expect(api.arrivals.at(-1)?.headers.authorization).to.equal(`Bearer ${PASSED}`);
    });

    it('answers the documented errors, and nothing reaches the provider', async () => {
      const { key } = await apiKeyOf(api.harness, await signedIn(api.harness));
      const before = api.arrivals.length;
      expect(await of(await swapped(bearer(key)))).to.deep.equal(documented('400 - Missing provider key:'));
      expect(await of(await swapped(bearer('mk_xxx')))).to.deep.equal(documented('401 - Missing authentication:'));
      // The proof of the gateway is nginx's to send, whoever else tries.
      const forged = await swapped({ 'x-gateway-authorization': 'Basic eDp5' });
      expect(await of(forged)).to.deep.equal(documented('401 - Missing authentication:'));
      expect(api.arrivals).to.have.length(before);
    });
  });

  describe('its errors', () => {
    it('401: a Memory Key is missing, malformed, unknown, revoked: always the same', async () => {
      const missing = documented('401 - Missing authentication:');
      const revoked = await apiKeyOf(api.harness, user);
      good(await json(api.harness, 'DELETE', `/v1/api-keys/${revoked.id}`, undefined, bearer(user.token)));
      const before = api.arrivals.length;
      expect(await of(await chat({}))).to.deep.equal(missing);
      expect(await of(await chat(bearer('mk_xxx')))).to.deep.equal(missing);
      expect(await of(await chat({ 'x-api-key': 'nonsense' }))).to.deep.equal(missing);
      expect(await of(await chat({ 'x-memory-key': revoked.key }))).to.deep.equal(missing);
      expect(await of(await chat(bearer(PASSED)))).to.deep.equal(missing);
      expect(await of(await chat({ authorization: 'Basic bWs6bWs=' }))).to.deep.equal(missing);
      expect(api.arrivals).to.have.length(before);
    });

    it('400: no provider key is stored and none came along', async () => {
      const other = await signedIn(api.harness);
      const { key } = await apiKeyOf(api.harness, other);
      expect(await of(await chat(bearer(key)))).to.deep.equal(documented('400 - Missing provider key:'));
      const { error, hint } = JSON.parse(snippetOf(PAGE, 'json', '400 - Missing provider key:'));
      const anthropic = await chat(bearer(key), 'anthropic/claude-3-5-sonnet');
      expect(await of(anthropic)).to.deep.equal({
        status: 400,
        body: { error: error.replace('openai', 'anthropic'), hint: hint.replace('openai', 'anthropic') },
      });
    });
  });

  describe('bad input', () => {
    it('two different Memory Keys, or two provider keys, are refused', async () => {
      const { key: other } = await apiKeyOf(api.harness, user);
      const before = api.arrivals.length;
      for (const headers of [
        { ...bearer(memoryKey), 'x-api-key': other },
        { 'x-memory-key': memoryKey, 'x-api-key': other },
        { 'x-memory-key': memoryKey, ...bearer(PASSED), 'x-provider-key': `${PASSED}-other` },
      ]) {
        const reply = await chat(headers);
        expect(reply.status, Object.keys(headers).join()).to.equal(400);
        expect(await reply.json()).to.have.all.keys('error', 'hint');
      }
      expect(api.arrivals).to.have.length(before);
    });

    it('a Memory Key is never passed on as a provider key', async () => {
      const { key: other } = await apiKeyOf(api.harness, user);
      expect((await chat({ 'x-memory-key': memoryKey, ...bearer(other) })).status).to.equal(400);
      expect((await chat({ 'x-memory-key': memoryKey, ...bearer(memoryKey) })).status).to.equal(200);
      expect(resolved).to.include({ source: 'stored' });
    });

    it('a key in the URL is refused', async () => {
      // The body is not looked at before.
      const reply = await json(api.harness, 'GET', `/forward-auth?environment=live&api_key=${memoryKey}`);
      expect(reply.status).to.equal(400);
    });

    it('an unknown provider and wrong types are refused by name', async () => {
      const add = (body: object) => json(api.harness, 'POST', '/v1/provider-keys', body, bearer(user.token));
      expect((await add({ provider: 'nobody', value: 'sk-0123456789' })).status).to.be.within(400, 404);
      const wrong = await add({ provider: 'openai', value: 7 });
      expect(wrong.status).to.equal(400);
      expect(wrong.json().fields[0].field).to.equal('value');
    });

    it('only a resource server with the scope gets a provider key', async () => {
      const plain = await createClient(api.harness, { grantTypes: ['client_credentials'], scopes: ['read'] });
      const ask = (headers: object) =>
        json(
          api.harness,
          'POST',
          '/v1/provider-keys/resolve',
          { credential: memoryKey, provider: 'openai' },
          {
            ...headers,
          },
        );
      for (const headers of [
        {},
        bearer(memoryKey),
        bearer(user.token),
        { authorization: basic(plain.id, plain.secret ?? '') },
      ]) {
        const reply = await ask(headers);
        expect(reply.status).to.be.within(401, 403);
        expect(reply.text).not.to.include(STORED);
      }
    });
  });

  // Last, for it looks at what the tests above have asked for.
  describe('the page', () => {
    it('has no example that was not run', () => {
      expect(unusedSnippets(PAGE)).to.deep.equal([]);
    });
  });

  function chat(headers: object, model = 'openai/gpt-4o'): Promise<Response> {
    return api.fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model, messages: [] }),
    });
  }
});
