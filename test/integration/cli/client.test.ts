import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { secretMatches } from '../../../src/domain/clients/client-secrets.ts';
import { generateClientKey } from '../../../src/domain/signing-keys/client-key.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const WEB = ['client', 'create', '--type', 'web', '--name', 'Shop', '--redirect-uri', 'https://shop.test/callback'];
const HOUR_MS = 3_600_000;

describe('gatehouse client', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('registers a web application with what such a client usually needs', async () => {
    const created = await gatehouse.json(WEB);
    expect(created.id).to.match(/^client_[A-Za-z0-9]{22}$/);
    expect(created.secret).to.match(/^[\w-]{43}$/);
    expect(created).to.deep.include({
      name: 'Shop',
      applicationType: 'web',
      authMethod: 'client_secret_basic',
      grantTypes: ['authorization_code', 'refresh_token'],
      redirectUris: ['https://shop.test/callback'],
      postLogoutRedirectUris: [],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      resources: [],
      allowedOrigins: [],
      requirePkce: true,
      jwks: [],
    });
    expect(created.secrets).to.have.length(1);
    expect(new Date(created.createdAt).toISOString()).to.equal(created.createdAt);
  });

  it('shows a secret once, says so, and stores only its digest', async () => {
    const { stdout } = await gatehouse.run(WEB);
    const [, id = '', secret = ''] = /^ +id +(\S+)\n +secret +(\S+)$/m.exec(stdout) ?? [];
    expect(secret).to.match(/^[\w-]{43}$/);
    expect(stdout.split(secret)).to.have.length(2);
    expect(stdout).to.match(/shown this once/);
    const later = await Promise.all([
      gatehouse.run(['client', 'show', id, '--json']),
      gatehouse.run(['client', 'show', id]),
    ]);
    for (const { code, stdout: shown } of later) {
      expect(code).to.equal(0);
      expect(shown).not.to.include(secret);
    }
    expect(later[0]?.json().secrets[0]).to.have.all.keys('createdAt', 'expiresAt');
    expect(gatehouse.databaseBytes()).to.include(id).and.not.to.include(secret);
    await using services = await gatehouse.services();
    const client = await services.manageClients.get(id);
    expect(secretMatches(services.digester, client, secret, Date.now())).to.equal(true);
  });

  it('registers public clients without a secret, and lets a browser application call from its own origin', async () => {
    const spa = await gatehouse.json([
      ...[
        'client',
        'create',
        '--type',
        'spa',
        '--name',
        'Page',
        '--id',
        'page',
        '--scope',
        'openid read',
        '--scope',
        'write',
      ],
      ...['--redirect-uri', 'https://a.test/in', '--redirect-uri', 'https://a.test/silent'],
    ]);
    expect(spa).to.deep.include({ id: 'page', authMethod: 'none', secret: null, secrets: [] });
    expect(spa).to.deep.include({ allowedOrigins: ['https://a.test'], scopes: ['openid', 'read', 'write'] });
    const native = await gatehouse.json([
      ...['client', 'create', '--type', 'native', '--name', 'App', '--redirect-uri', 'com.example.app:/in'],
    ]);
    expect(native).to.deep.include({ applicationType: 'native', authMethod: 'none', secret: null, allowedOrigins: [] });
  });

  it('registers a machine that signs with its own key, and refuses its private key', async () => {
    const { privateJwk, publicJwk } = await generateClientKey();
    const files = { private: privateJwk, single: publicJwk, set: { keys: [publicJwk] }, nothing: { a: 1 } };
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(gatehouse.folder, `${name}.json`), JSON.stringify(content));
    }
    const create = ['client', 'create', '--type', 'machine', '--name', 'Robot', '--scope', 'read', '--jwks'];
    for (const file of ['single.json', 'set.json']) {
      const { authMethod, jwks, secret } = await gatehouse.json([...create, file]);
      expect({ authMethod, jwks, secret }).to.deep.equal({
        authMethod: 'private_key_jwt',
        jwks: [publicJwk],
        secret: null,
      });
    }
    const refused = await gatehouse.run([...create, 'private.json']);
    expect(refused).to.include({ code: 1, stdout: '' });
    expect(refused.stderr)
      .to.match(/--jwks: register the public key only/)
      .and.not.to.include(privateJwk.d);
    for (const file of ['nothing.json', 'missing.json'])
      expect((await gatehouse.run([...create, file])).code).to.equal(2);
  });

  it('names every problem of a client under its option, and creates nothing', async () => {
    const before = await gatehouse.json(['client', 'list']);
    const { code, stdout, stderr } = await gatehouse.run([
      ...[
        'client',
        'create',
        '--type',
        'spa',
        '--name',
        ' ',
        '--id',
        'a b',
        '--no-pkce',
        '--grant',
        'password',
        '--json',
      ],
    ]);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    for (const option of ['--name', '--id', '--no-pkce', '--grant']) expect(stderr).to.include(`error: ${option}: `);
    expect(stderr).to.include('See: gatehouse client create --help');
    expect(await gatehouse.json(['client', 'list'])).to.deep.equal(before);
  });

  it('answers wrong usage with exit code 2 and what to do', async () => {
    const [unknown, missing, choice, group] = await Promise.all([
      gatehouse.run(['client', 'creat']),
      gatehouse.run(['client', 'create', '--type', 'web']),
      gatehouse.run(['client', 'create', '--type', 'website', '--name', 'x']),
      gatehouse.run(['client']),
    ]);
    for (const outcome of [unknown, missing, choice, group]) expect(outcome).to.include({ code: 2, stdout: '' });
    expect(unknown.stderr).to.include('Did you mean create?');
    expect(missing.stderr).to.include("'--name <name>' not specified").and.to.include('--help');
    expect(choice.stderr).to.include('web, spa, native, machine');
    expect(group.stderr).to.include('rotate-secret');
  });

  it('lists clients by id and shows one', async () => {
    const list = await gatehouse.json(['client', 'list']);
    const ids = list.map(({ id }: { id: string }) => id);
    expect(ids)
      .to.deep.equal([...ids].sort())
      .and.to.include('page');
    expect(await gatehouse.json(['client', 'show', 'page'])).to.deep.equal(list[ids.indexOf('page')]);
    expect((await gatehouse.run(['client', 'list'])).stdout).to.match(/^ID +NAME +AUTHENTICATION +GRANTS\n/);
    const { code, stderr } = await gatehouse.run(['client', 'show', 'nobody']);
    expect({ code, stderr }).to.deep.equal({
      code: 1,
      stderr: 'error: There is no client nobody.\nSee what there is: gatehouse client list\n',
    });
  });

  it('changes what is named and leaves the rest', async () => {
    const before = await gatehouse.json(['client', 'show', 'page']);
    const after = await gatehouse.json([
      'client',
      'update',
      'page',
      '--name',
      'New page',
      '--origin',
      '',
      '--scope',
      'openid',
    ]);
    expect(after).to.deep.equal({
      ...before,
      name: 'New page',
      allowedOrigins: [],
      scopes: ['openid'],
      updatedAt: after.updatedAt,
    });
    expect(after.updatedAt > before.updatedAt).to.equal(true);
    expect((await gatehouse.run(['client', 'update', 'page'])).code).to.equal(2);
    expect((await gatehouse.run(['client', 'update', 'page', '--no-pkce'])).stderr).to.include(
      'confidential clients only',
    );
  });

  it('warns about a resource server that does not exist yet, beside the result', async () => {
    const outcome = await gatehouse.run([
      ...['client', 'create', '--type', 'machine', '--name', 'x', '--resource', 'https://api.later.test', '--json'],
    ]);
    expect(outcome.code).to.equal(0);
    expect(outcome.json().resources).to.deep.equal(['https://api.later.test']);
    expect(outcome.stderr).to.match(/no resource server https:\/\/api\.later\.test yet/);
  });

  it('lets both secrets work until the overlap ends', async () => {
    const { id, secret: first } = await gatehouse.json(WEB);
    const rotated = await gatehouse.json(['client', 'rotate-secret', id, '--overlap', '2h']);
    const inTwoHours = Date.parse(rotated.oldSecretEndsAt);
    expect(inTwoHours).to.be.closeTo(Date.now() + 2 * HOUR_MS, 30_000);
    await using services = await gatehouse.services();
    const works = async (secret: string, atMs: number): Promise<boolean> =>
      secretMatches(services.digester, await services.manageClients.get(id), secret, atMs);
    expect(await works(first, inTwoHours - 1)).to.equal(true);
    expect(await works(first, inTwoHours)).to.equal(false);
    expect(await works(rotated.secret, inTwoHours + 1000 * HOUR_MS)).to.equal(true);

    // A day unless told otherwise, and never longer than an earlier rotation allowed.
    const again = await gatehouse.json(['client', 'rotate-secret', id]);
    expect(Date.parse(again.oldSecretEndsAt)).to.be.closeTo(Date.now() + 24 * HOUR_MS, 30_000);
    expect(await works(first, inTwoHours)).to.equal(false);

    const atOnce = await gatehouse.json(['client', 'rotate-secret', id, '--overlap', '0']);
    expect(atOnce.oldSecretEndsAt).to.equal(null);
    for (const old of [first, rotated.secret, again.secret]) expect(await works(old, Date.now())).to.equal(false);
    expect(await works(atOnce.secret, Date.now())).to.equal(true);
  });

  it('rotates no secret that does not exist, and takes no overlap it cannot read', async () => {
    const refused = await gatehouse.run(['client', 'rotate-secret', 'page']);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('has no secret');
    expect((await gatehouse.run(['client', 'rotate-secret', 'page', '--overlap', 'a while'])).code).to.equal(2);
    expect((await gatehouse.run(['client', 'rotate-secret', 'page', '--overlap', '9999d'])).stderr).to.include(
      '--overlap',
    );
  });

  it('deletes a client once', async () => {
    expect(await gatehouse.json(['client', 'delete', 'page'])).to.deep.equal({ id: 'page', deleted: true });
    expect((await gatehouse.run(['client', 'delete', 'page'])).code).to.equal(1);
  });
});
