import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Provider } from 'oidc-provider';
import * as codeGrant from 'oidc-provider/lib/actions/grants/authorization_code.js';
import * as refreshGrant from 'oidc-provider/lib/actions/grants/refresh_token.js';
import als from 'oidc-provider/lib/helpers/als.js';
import * as helpers from 'oidc-provider/lib/helpers/grants.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const ENGINE = join(ROOT, 'node_modules', 'oidc-provider');

/** What internals.ts and the adapter take for granted of the engine's insides. An upgrade that changes it fails here. */
describe('the inside of the engine', () => {
  it('is the version it was read in', () => {
    const { version } = JSON.parse(readFileSync(join(ENGINE, 'package.json'), 'utf8')) as { version: string };
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const wanted = dependencies['oidc-provider'] ?? '';
    expect(version).to.match(/^9\./);
    // Deep imports are not covered by semantic versioning: the version must be exact.
    expect(wanted).to.equal(version);
  });

  it('has handlers for the two grants, called with (provider, helpers, ctx)', () => {
    for (const { handler } of [codeGrant, refreshGrant]) {
      expect(handler).to.be.a('function');
      expect(handler.length).to.equal(3);
    }
  });

  it('has the helpers that those handlers use, called with the provider first', () => {
    const used = new Set<string>();
    for (const name of ['authorization_code', 'refresh_token']) {
      const source = readFileSync(join(ENGINE, 'lib', 'actions', 'grants', `${name}.js`), 'utf8');
      for (const [, list = ''] of source.matchAll(/const \{([^}]*)\} = helpers;/g))
        for (const helper of list.split(',')) if (helper.trim()) used.add(helper.trim());
    }
    expect(used.size).to.be.greaterThan(4);
    for (const name of used) expect((helpers as unknown as Record<string, unknown>)[name], name).to.be.a('function');
  });

  it('keeps the request in an asynchronous local storage that Provider.ctx reads', async () => {
    const ctx = { state: { mark: 1 } };
    await als.run(ctx, async () => {
      await Promise.resolve();
      expect(Provider.ctx).to.equal(ctx);
    });
    expect(Provider.ctx).to.equal(undefined);
  });

  it('builds its request context from a Koa context and a matched route', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const provider = new Provider('http://localhost:1', {
      adapter: () => ({}) as never,
      jwks: { keys: [privateKey.export({ format: 'jwk' }) as never] },
      cookies: { keys: ['x'] },
      features: { devInteractions: { enabled: false } },
    }) as Provider & { OIDCContext: unknown };
    expect(provider.OIDCContext).to.be.a('function');
    for (const model of ['AccessToken', 'RefreshToken', 'AuthorizationCode'] as const) {
      const prototype = provider[model].prototype as unknown as { generateTokenId?: unknown };
      expect(prototype.generateTokenId, model).to.be.a('function');
    }
  });

  it('is reached into by one module only', () => {
    const reaching: string[] = [];
    for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
      if (readFileSync(join(ROOT, 'src', file), 'utf8').includes("'oidc-provider/lib/")) reaching.push(file);
    }
    expect(reaching).to.deep.equal([join('endpoints', 'oauth', 'internals.ts')]);
  });

  it('writes the sign-out form that our page is made from', () => {
    const source = readFileSync(join(ENGINE, 'lib', 'actions', 'end_session.js'), 'utf8');
    expect(source).to.match(
      /<form id="op.logoutForm" method="post" action="\$\{action\}"><input type="hidden" name="xsrf" value="\$\{secret\}"\/>/,
    );
  });
});
