import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SETTINGS } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { defineConfig } from '../../../src/define-config.ts';
import type { Dialect } from '../../../src/endpoints/api/dialect.ts';
import { dialectProblems } from '../../../src/endpoints/api/dialect-problems.ts';
import memoryApi from '../../../src/endpoints/api/dialects/memory-api.ts';
import { loadDialect, type Product } from '../../../src/endpoints/api/load-dialect.ts';

const SHIPPED = new URL('../../../src/endpoints/api/dialects/', import.meta.url);
const NAMES = readdirSync(SHIPPED).map((file) => file.replace('.ts', ''));

describe('the dialect of a server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
  after(() => rmSync(folder, { recursive: true }));

  let files = 0;
  /** Loads a configuration file with this text. */
  function withFile(text: string, dialect?: string): Promise<Product> {
    files += 1;
    const configFile = join(folder, `gatehouse-${files}.config.ts`);
    writeFileSync(configFile, text);
    return loadDialect({ dialect, configFile });
  }
  async function problemsOf(loading: Promise<Product>): Promise<string> {
    const error: unknown = await loading.then(
      () => new Error('it was loaded'),
      (reason) => reason,
    );
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.join('\n');
  }

  it('is the canonical one unless another is chosen', async () => {
    const { dialect } = await loadDialect({ dialect: undefined, configFile: null });
    expect(dialect.name).to.equal('gatehouse');
  });

  for (const name of NAMES) {
    it(`${name}: is one file of less than 150 lines, named after itself, without a problem`, async () => {
      const { dialect, settings } = await loadDialect({ dialect: name, configFile: null });
      expect(dialect.name).to.equal(name);
      expect(Object.keys(SETTINGS)).to.include.members(Object.keys(settings));
      expect(readFileSync(new URL(`${name}.ts`, SHIPPED), 'utf8').split('\n')).to.have.length.below(150);
    });
  }

  it('must be one that there is; the problem names them all', async () => {
    const problem = await problemsOf(loadDialect({ dialect: 'memory-ap', configFile: null }));
    expect(problem)
      .to.match(/^GATEHOUSE_DIALECT: there is no dialect memory-ap;/)
      .and.include(NAMES.sort().join(', '));
  });

  it('cannot be a path', async () => {
    for (const path of [
      '../dialect',
      './gatehouse',
      'gatehouse.ts',
      '/etc/passwd',
      '..',
      'data:text/javascript,1',
      '__proto__',
    ]) {
      expect(await problemsOf(loadDialect({ dialect: path, configFile: null }))).to.include('there is no dialect');
    }
  });

  it('is chosen by a configuration file, whose settings come on top', async () => {
    const { dialect, settings, limits } = await withFile(`
      import { defineConfig } from 'gatehouse';
      export default defineConfig({
        dialect: 'memory-api',
        settings: { GATEHOUSE_SIGN_UP: 'closed' },
        limits: [{ name: 'sandbox', per: 'key', environment: 'test', quota: 100, windowSeconds: 60 }],
      });
    `);
    expect(dialect).to.equal(memoryApi);
    expect(settings).to.deep.equal({ ...memoryApi.settings, GATEHOUSE_SIGN_UP: 'closed' });
    expect(limits).to.have.length(1);
  });

  it('is defined by a configuration file, with the routes of the operator', async () => {
    const { dialect } = await withFile(`
      import { defineConfig, route, type Dialect } from 'gatehouse';
      const acme = {
        name: 'acme',
        title: 'Acme',
        keys: { environments: { live: { prefix: 'acme_', billable: true } }, defaultScopes: ['use'] },
        scopes: [{ name: 'use', description: 'Use Acme' }, { name: 'manage', description: 'Manage keys' }],
        manageScope: 'manage',
        credentials: { headers: ['x-acme-key'] },
        limits: [],
        routes: { 'POST /login': route('login', { names: { user: 'email' }, answer: ({ access_token }) => ({ jwt: access_token }) }) },
        error: (error) => ({ body: { reason: error.public } }),
      } satisfies Dialect;
      export default defineConfig({ dialect: acme });
    `);
    expect(dialect.routes['POST /login']).to.include({ operation: 'login' });
  });

  it('is found by the name of the package from inside it too', async () => {
    const self = (await import('gatehouse' as string)) as { defineConfig: unknown };
    expect(self.defineConfig).to.equal(defineConfig);
  });

  it('cannot be chosen twice with different outcomes', async () => {
    expect(await problemsOf(withFile(`export default { dialect: 'tokenos' }`, 'memory-api'))).to.match(
      /^GATEHOUSE_DIALECT: is memory-api, but .* chooses tokenos; set one of them$/,
    );
    expect((await withFile(`export default { dialect: 'tokenos' }`, 'tokenos')).dialect.name).to.equal('tokenos');
    expect((await withFile(`export default { settings: {} }`, 'tokenos')).dialect.name).to.equal('tokenos');
  });

  it('has its problems named, whatever is wrong with the file', async () => {
    expect(await problemsOf(loadDialect({ dialect: undefined, configFile: join(folder, 'none.ts') }))).to.match(
      /^GATEHOUSE_CONFIG: there is no file/,
    );
    expect(await problemsOf(withFile('export const a = 1;'))).to.include('must export a configuration by default');
    expect(await problemsOf(withFile('export default {'))).to.include('cannot be read');
    expect(await problemsOf(withFile(`throw new Error('broken')`))).to.include('cannot be read: broken');
    expect(await problemsOf(withFile(`export default { dialects: 'tokenos' }`))).to.include('dialects: is not known');
    expect(
      await problemsOf(
        withFile(`export default {
          settings: { GATEHOUSE_SIGNUP: 'open' },
          providers: [{ name: 'a b', title: 'A', header: 'Authorization', scheme: 'Bearer ' }],
          limits: [{ name: 'x', per: 'key', environment: 'staging', quota: 1, windowSeconds: 1 }],
        }`),
      ),
    )
      .to.include('there is no setting GATEHOUSE_SIGNUP')
      .and.include('providers.0.name')
      .and.include('there is no environment staging');
  });

  describe('is checked when it is loaded:', () => {
    const route = (operation: string, more: object = {}) => ({ operation, ...more });
    const cases: [string, object, RegExp][] = [
      ['its shape', { title: 7 }, /^title:/],
      ['unknown members', { route: {} }, /route/],
      ['settings that do not exist', { settings: { GATEHOUSE_X: '1' } }, /there is no setting GATEHOUSE_X/],
      ['secrets as settings', { settings: { GATEHOUSE_SECRETS: 'x' } }, /there is no setting GATEHOUSE_SECRETS/],
      ['header names', { credentials: { headers: ['X-API-Key'] } }, /small letters/],
      ['operations', { routes: { 'GET /a': route('verifi') } }, /there is no operation verifi; there are signUp/],
      ['operations of Object', { routes: { 'GET /a': route('toString') } }, /there is no operation toString/],
      ['methods', { routes: { 'FETCH /a': route('verify') } }, /write it as METHOD \/path/],
      ['paths', { routes: { 'GET /a b/{id': route('verify') } }, /is not part of a path/],
      ['empty segments', { routes: { 'GET /a//b': route('verify') } }, /"" is not part of a path/],
      ['paths of the server itself', { routes: { 'GET /health': route('verify') } }, /taken by the server/],
      ['path parameters', { routes: { 'GET /a/{key}': route('getApiKey') } }, /path: getApiKey takes no key/],
      ['names', { routes: { 'POST /a': route('login', { names: { u: 'user' } }) } }, /names: login takes no user/],
      [
        'names given twice',
        { routes: { 'POST /a': route('login', { names: { u: 'email', v: 'email' } }) } },
        /two names for email/,
      ],
      ['fixed members', { routes: { 'POST /a': route('login', { fixed: { a: 1 } }) } }, /fixed: login takes no a/],
      ['defaults', { routes: { 'POST /a': route('login', { defaults: { a: 1 } }) } }, /defaults: login takes no a/],
      [
        'routes that match the same request',
        { routes: { 'GET /keys/{id}': route('getApiKey'), 'GET /keys/all': route('listApiKeys') } },
        /match the same requests/,
      ],
      ['default scopes', { keys: { ...memoryApi.keys, defaultScopes: ['reed'] } }, /defaultScopes: reed/],
      ['the scope that manages', { manageScope: 'root' }, /manageScope: root/],
      [
        'scopes that include others',
        { scopes: [...memoryApi.scopes, { name: 'all', description: 'All', includes: ['x'] }] },
        /all includes: x/,
      ],
      [
        'scopes of OpenID Connect',
        { scopes: [...memoryApi.scopes, { name: 'openid', description: 'x' }] },
        /meaning of its own/,
      ],
      [
        'prefixes that begin like another',
        {
          keys: {
            ...memoryApi.keys,
            environments: { live: { prefix: 'a_', billable: true }, test: { prefix: 'a_b_', billable: false } },
          },
        },
        /a_ and a_b_: one key could be read as either/,
      ],
      [
        'prefixes of tokens',
        { keys: { ...memoryApi.keys, environments: { live: { prefix: 'gat_', billable: true } } } },
        /gat_ begins tokens/,
      ],
      [
        'prefixes that a double click does not select',
        { keys: { ...memoryApi.keys, environments: { live: { prefix: 'a-b-', billable: true } } } },
        /a-b-: use letters, digits and _/,
      ],
      [
        'limits of environments that do not exist',
        { limits: [{ name: 'a', per: 'key', environment: 'staging', quota: 1, windowSeconds: 1 }] },
        /there is no environment staging/,
      ],
      [
        'a header that would hold our credential and the provider’s',
        {
          credentials: {
            headers: ['authorization', 'x-key'],
            providerKey: { headers: ['x-key'], authorizationWith: 'x-key' },
          },
        },
        /x-key holds our own/,
      ],
    ];
    for (const [what, change, problem] of cases) {
      it(what, () => {
        const problems = dialectProblems({ ...memoryApi, ...change } as unknown as Dialect);
        expect(problems.join('\n')).to.match(problem);
      });
    }
  });
});
