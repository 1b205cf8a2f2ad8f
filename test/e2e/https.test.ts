import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { createClientFlows, newVerifier, tokenOf } from '../support/client-flows.ts';
import { type CallbackServer, openSurfer, startCallbackServer } from '../support/e2e-browser.ts';
import { createWorld, type Node, type World } from '../support/e2e-world.ts';
import { requirePart } from '../support/requirements.ts';

const PASSWORD = 'a password for production';

describe('production over HTTPS, set up by the command line alone', () => {
  let chromium: Browser;
  let callbacks: CallbackServer;
  let world: World;
  let node: Node;
  let ca: string;
  let client: { id: string; secret: string };

  before(async function () {
    chromium = await requirePart('chromium', this);
    callbacks = await startCallbackServer();
    world = await createWorld('SQLite', this, { https: true });
    const [cert, key] = [join(world.folder, 'cert.pem'), join(world.folder, 'key.pem')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
      ],
      { stdio: 'pipe' },
    );
    ca = readFileSync(cert, 'utf8');
    Object.assign(world.env, { NODE_ENV: 'production', TLS_CERT: cert, TLS_KEY: key, GATEHOUSE_HOST: '127.0.0.1' });
  });
  after(async () => {
    await callbacks?.close();
    await world?.close();
  });

  it('does not start before the tables are made', async () => {
    const { code, stderr } = await world.startInVain({});
    expect(code).to.equal(1);
    expect(stderr).to.include('gatehouse migrate up');
  });

  it('starts once they are, and users and clients come from the command line', async () => {
    const { code } = await world.cli(['migrate', 'up']);
    expect(code).to.equal(0);
    await world.cliJson(['user', 'create', '--email', 'linus@example.com', '--password-stdin'], { input: PASSWORD });
    client = await world.cliJson([
      ...['client', 'create', '--type', 'web', '--name', 'Production client', '--redirect-uri', callbacks.callback],
      ...['--scope', 'openid offline_access'],
    ]);
    expect(client.secret).to.be.a('string');
    node = await world.start({ readyWhen: /"msg":"ready"/, ca });
    const metadata = await node.fetch(`${world.issuer}/.well-known/openid-configuration`);
    expect(((await metadata.json()) as { token_endpoint: string }).token_endpoint).to.match(/^https:/);
  });

  it('has no demonstration data', async () => {
    const flows = createClientFlows({ issuer: world.issuer, redirectUri: callbacks.callback });
    const answer = await flows.clientCredentials(node.fetch, { id: 'demo-machine', secret: 'demo-machine-secret' });
    expect(answer.status).to.equal(401);
  });

  it('signs in with cookies that only this server, over HTTPS, ever sees', async () => {
    const surfer = await openSurfer(chromium, {
      sites: [world.issuer, callbacks.origin],
      // The certificate is nobody's.
      ignoreHTTPSErrors: true,
    });
    try {
      const page = await surfer.tab();
      const flows = createClientFlows({ issuer: world.issuer, redirectUri: callbacks.callback });
      const verifier = newVerifier();
      const url = flows.authorizationUrl(client.id, verifier, { scope: 'openid offline_access' });
      const shown = await page.goto(url.href);
      expect(shown?.headers()['strict-transport-security']).to.match(/^max-age=\d{8}/);
      const atSignIn = await surfer.context.cookies();
      await page.getByLabel('Email address').fill('linus@example.com');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.waitForURL(`${callbacks.origin}/**`);

      const cookies = [...atSignIn, ...(await surfer.context.cookies())];
      for (const cookie of cookies) {
        expect(cookie, cookie.name).to.include({ secure: true, httpOnly: true, sameSite: 'Lax', domain: 'localhost' });
      }
      const named = (name: string) => cookies.find((cookie) => cookie.name === name);
      expect(named('__Host-gatehouse_session')).to.include({ path: '/' });
      expect(named('__Host-gatehouse_device')).to.include({ path: '/' });
      expect(named('__Secure-gatehouse_interaction')?.path).to.match(/^\/interaction\//);
      expect(cookies.filter(({ name }) => !/^__(Host|Secure)-/.test(name))).to.deep.equal([]);

      const code = callbacks.last().get('code') ?? '';
      const answer = await flows.redeem(node.fetch, client, { code, verifier });
      tokenOf(answer, 'refresh_token');
      expect(answer.headers.get('strict-transport-security')).to.be.a('string');
      expect(surfer.complaints()).to.deep.equal([]);
    } finally {
      await surfer.close();
    }
  });

  it('writes nothing but JSON lines and ends in order', async () => {
    expect(await node.stop()).to.equal(0);
    for (const line of node.output().trim().split('\n')) expect(() => JSON.parse(line), line).not.to.throw();
  });
});
