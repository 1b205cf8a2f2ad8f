import { expect } from 'chai';
import { DEFAULT_PROVIDERS } from '../../../../src/domain/provider-keys/providers.ts';
import type { Provider } from '../../../../src/domain/provider-keys/vault.ts';
import { createProviderKeyCheck } from '../../../../src/endpoints/api/check-provider-key.ts';

type Fetch = typeof globalThis.fetch;
const KEY = 'sk-a-key-of-a-user';
const providerNamed = (name: string) => DEFAULT_PROVIDERS.find((provider) => provider.name === name) as Provider;
const OPENAI = providerNamed('openai');

/** A provider that gives this answer, and what it was asked. */
function answering(answer: () => Response | Promise<Response>) {
  const asked: { url: string; init: RequestInit }[] = [];
  const fetch = (async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    return answer();
  }) as unknown as Fetch;
  return { fetch, asked, check: createProviderKeyCheck({ enabled: true, fetch, timeoutMs: 50 }) };
}

describe('asking a provider about a key', () => {
  it('shows the key as the provider expects it, and follows no redirect', async () => {
    const { check, asked } = answering(() => new Response('[]'));
    expect(await check(OPENAI, KEY)).to.equal('accepted');
    expect(await check(providerNamed('anthropic'), KEY)).to.equal('accepted');
    expect(asked.map(({ url, init }) => [url, init.headers, init.redirect])).to.deep.equal([
      ['https://api.openai.com/v1/models', { Authorization: `Bearer ${KEY}` }, 'manual'],
      ['https://api.anthropic.com/v1/models', { 'anthropic-version': '2023-06-01', 'x-api-key': KEY }, 'manual'],
    ]);
  });

  for (const [status, answer] of [
    [200, 'accepted'],
    [204, 'accepted'],
    [401, 'refused'],
    [403, 'refused'],
    [302, 'unknown'],
    [400, 'unknown'],
    [404, 'unknown'],
    [429, 'unknown'],
    [500, 'unknown'],
  ] as const) {
    it(`takes ${status} for ${answer}`, async () => {
      const { check } = answering(() => new Response(null, { status }));
      expect(await check(OPENAI, KEY)).to.equal(answer);
    });
  }

  it('lets the key pass when nobody answers, or not in time', async () => {
    expect(await answering(() => Promise.reject(new TypeError('fetch failed'))).check(OPENAI, KEY)).to.equal('unknown');
    const slow = createProviderKeyCheck({
      enabled: true,
      timeoutMs: 20,
      fetch: ((_url: string, { signal }: RequestInit) =>
        new Promise((_resolve, reject) => {
          const waiting = setTimeout(() => {}, 60_000);
          signal?.addEventListener('abort', () => {
            clearTimeout(waiting);
            reject(signal.reason);
          });
        })) as unknown as Fetch,
    });
    expect(await slow(OPENAI, KEY)).to.equal('unknown');
  });

  it('does not read an endless answer', async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1024));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect(await answering(() => new Response(endless)).check(OPENAI, KEY)).to.equal('accepted');
    expect(cancelled).to.equal(true);
    expect(pulled).to.be.lessThan(4);
  });

  it('asks nobody when it is off, has no address or none with https', async () => {
    const { fetch, check, asked } = answering(() => new Response('[]'));
    expect(await createProviderKeyCheck({ enabled: false, fetch })(OPENAI, KEY)).to.equal('unknown');
    expect(await check(providerNamed('azure-openai'), KEY)).to.equal('unknown');
    for (const checkUrl of ['http://api.openai.com/v1/models', 'file:///etc/passwd', 'not a URL'])
      expect(await check({ ...OPENAI, checkUrl }, KEY), checkUrl).to.equal('unknown');
    expect(asked).to.deep.equal([]);
  });
});
