import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createKeyFormat } from '../../../src/domain/api-keys/key-format.ts';
import { loadDialect } from '../../../src/endpoints/api/load-dialect.ts';
import { createDigester } from '../../../src/kit/digest.ts';
import { createTestClock, type Harness, type Reply, startHarness, type TestClock } from '../../support/harness.ts';
import { snippetOf, tableOf } from '../../support/snippets.ts';
import { bearer, good, json } from './published-api.ts';

const DOCS = readFileSync(new URL('../../../docs/dialects.md', import.meta.url), 'utf8');
const MAIL = 'new@example.com';
const PASSWORD = 'a long enough password';

describe('docs/dialects.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-own-dialect-'));
  after(() => rmSync(folder, { recursive: true }));
  const fileOf = (name: string, heading: string): string => {
    const file = join(folder, name);
    writeFileSync(file, snippetOf(DOCS, 'ts', heading));
    return file;
  };

  it('shows how to choose a dialect', async () => {
    const { dialect, settings, limits } = await loadDialect({
      dialect: undefined,
      configFile: fileOf('chosen.config.ts', 'Dialects'),
    });
    expect(dialect.name).to.equal('memory-api');
    expect(settings).to.include({ GATEHOUSE_SIGN_UP: 'closed', GATEHOUSE_API_KEY_LIFETIME: 'never' });
    expect(limits?.map(({ name }) => name)).to.deep.equal(['sandbox']);
  });

  it('has the scanner pattern of every dialect', async () => {
    for (const [name = '', pattern] of scannerPatterns()) {
      const { dialect } = await loadDialect({ dialect: name, configFile: null });
      const format = createKeyFormat({
        environments: dialect.keys.environments,
        tagKey: createDigester(Buffer.alloc(32, 1)),
      });
      expect(format.scannerPattern(), name).to.equal(pattern);
      for (const environment of Object.keys(dialect.keys.environments)) {
        expect(`key = "${format.mint(environment).text}"`).to.match(new RegExp(pattern ?? ''));
      }
    }
  });

  describe('the example of a dialect of one’s own', () => {
    let harness: Harness;
    let clock: TestClock;
    let first: { user: string; key: string };
    before(async () => {
      clock = createTestClock();
      harness = await startHarness({ clock, env: { GATEHOUSE_CONFIG: fileOf('gatehouse.config.ts', 'Writing one') } });
      harness.keepSecret(PASSWORD);
      first = good(await send('POST', '/users', { mail: MAIL, password: PASSWORD }));
      harness.keepSecret(first.key);
    });
    after(() => harness?.[Symbol.asyncDispose]());
    const send = (method: string, path: string, body?: object, headers = {}): Promise<Reply> =>
      json(harness, method, path, body, headers);
    const byKey = (key: string): { 'x-acme-key': string } => ({ 'x-acme-key': key });

    it('takes and answers the names it maps', async () => {
      expect(first.key).to.match(/^acme_/);
      const login = await send('POST', '/sessions', { mail: MAIL, password: PASSWORD });
      expect(login.status).to.equal(201);
      expect(login.json()).to.have.all.keys('session', 'ttl');
      expect(login.json().ttl).to.equal(1800);
      harness.keepSecret(login.json().session);
      const made = await send('POST', '/keys', { label: 'Second' }, bearer(login.json().session));
      harness.keepSecret(made.json().key);
      expect(made.json()).to.deep.include({ name: 'Second', scopes: ['parcels:read'], environment: 'prod' });
      const { keys } = good(await send('GET', '/keys', undefined, byKey(first.key)));
      expect(keys.map(({ name }: { name: string }) => name)).to.have.members(['First key', 'Second']);
    });

    it('takes forms on its own routes, and what it has fixed from nobody', async () => {
      const login = await harness.post('/sessions', { mail: MAIL, password: PASSWORD });
      expect(login.status).to.equal(201);
      const cookies = await harness.post('/sessions', { mail: MAIL, password: PASSWORD, mode: 'cookies' });
      expect(cookies.status).to.equal(400);
      expect((await harness.post('/v1/auth/login', { email: MAIL, password: PASSWORD })).status).to.equal(415);
    });

    it('fills in what may be left out', async () => {
      const made = good(await send('POST', '/keys', undefined, byKey(first.key)));
      harness.keepSecret(made.key);
      expect(made.name).to.equal('Key');
    });

    it('lets scopes include others', async () => {
      const made = good(await send('POST', '/keys', { scopes: ['parcels:send'] }, bearer(await session())));
      harness.keepSecret(made.key);
      const ask = (scope: string): Promise<Reply> => harness.get(`/forward-auth?scope=${scope}`, byKey(made.key));
      expect((await ask('parcels:read')).status).to.equal(200);
      expect((await ask('account')).status).to.equal(401);
    });

    it('answers errors in its words, with its status', async () => {
      expect((await send('GET', '/keys', undefined, byKey('acme_x'))).json()).to.deep.equal({
        ok: false,
        reason: 'bad key',
      });
      const weak = good(await send('POST', '/keys', undefined, byKey(first.key)));
      harness.keepSecret(weak.key);
      const refused = await send('GET', '/keys', undefined, byKey(weak.key));
      expect(refused.status).to.equal(401);
      expect(refused.json()).to.include({ ok: false });
    });

    it('says what is left of its limits', async () => {
      const reply = await send('GET', '/keys', undefined, byKey(first.key));
      expect(reply.headers['ratelimit-policy']).to.include('"keys";q=600;w=60');
      expect(reply.headers['x-ratelimit-limit']).to.equal('600');
    });

    it('leaves the rest to the canonical API', async () => {
      const reply = await send('GET', '/v1/api-keys', undefined, byKey('acme_x'));
      expect(reply.status).to.equal(401);
      expect(reply.headers['content-type']).to.include('application/problem+json');
    });

    async function session(): Promise<string> {
      const { session: token } = good(await send('POST', '/sessions', { mail: MAIL, password: PASSWORD }));
      harness.keepSecret(token);
      return token;
    }
  });
});

/** The second table of the section: a bar in a cell is written `\|`. */
function scannerPatterns(): string[][] {
  const escaped = DOCS.replaceAll('\\|', '\0');
  const rows = tableOf(escaped, 'The ones that ship').map((row) => row.map((cell) => cell.replaceAll('\0', '|')));
  const patterns = rows.filter((row) => row[1]?.startsWith('\\b'));
  expect(patterns).to.have.length(6);
  return patterns;
}
