import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Gatehouse, startGatehouse } from '../../support/processes.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const API = 'https://api.shop.test';

/** Asks until the answer is the one awaited. Five seconds is what other processes may take to notice, one is for the asking. */
async function within5Seconds<T>(ask: () => Promise<T>, accept: (answer: T) => boolean): Promise<T> {
  const end = Date.now() + 6000;
  for (;;) {
    const answer = await ask();
    if (accept(answer)) return answer;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(answer)} after 6 s`);
    // Not so often that the failures are throttled.
    await sleep(400);
  }
}

describe('a running server', () => {
  let gatehouse: Deployment;
  let server: Gatehouse;
  let client: { id: string; secret: string };
  before(async function () {
    this.timeout(120_000);
    gatehouse = createDeployment({
      GATEHOUSE_DEMO: 'false',
      GATEHOUSE_SECRETS: `${'n'.repeat(32)},${'o'.repeat(32)}`,
    });
    // Sealed under the older of the two secrets at first.
    await gatehouse.json(['keys', 'list'], { env: { GATEHOUSE_SECRETS: 'o'.repeat(32) } });
    server = await startGatehouse({ env: gatehouse.env, cwd: gatehouse.folder });
    client = await gatehouse.json([
      'client',
      'create',
      '--type',
      'machine',
      '--name',
      'Robot',
      '--scope',
      'read',
      '--resource',
      API,
    ]);
  });
  after(async () => {
    await server?.stop();
    gatehouse.remove();
  });

  async function requestToken(
    secret = client.secret,
  ): Promise<{ status: number; error: string | null; kid: string | null }> {
    const response = await fetch(`http://localhost:${server.port}/oauth2/token`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from(`${client.id}:${secret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { error = null, access_token: token } = (await response.json()) as { error?: string; access_token?: string };
    const header = token ? JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) : {};
    return { status: response.status, error, kid: header.kid ?? null };
  }

  it('knows a new client and its resource server within five seconds', async () => {
    await gatehouse.json([
      'resource',
      'create',
      '--identifier',
      API,
      '--name',
      'Shop',
      '--scope',
      'read=Read your orders',
    ]);
    await within5Seconds(requestToken, ({ status }) => status === 200);
  });

  it('takes the new secret within five seconds and refuses the old one when there is no overlap', async () => {
    const old = client.secret;
    client = await gatehouse.json(['client', 'rotate-secret', client.id, '--overlap', '0']);
    await within5Seconds(
      () => requestToken(),
      ({ status }) => status === 200,
    );
    await within5Seconds(
      () => requestToken(old),
      ({ error }) => error === 'invalid_client',
    );
  });

  it('signs with the new key within five seconds of a rotation', async () => {
    const { kid: before } = await requestToken();
    const keys = await gatehouse.json(['keys', 'rotate', '--now']);
    const active = keys
      .filter(({ state }: { state: string }) => state === 'active')
      .map((key: { kid: string }) => key.kid);
    expect(active).not.to.include(before);
    await within5Seconds(requestToken, ({ kid }) => kid !== null && active.includes(kid));
  });

  it('does not notice that the secrets are rotated', async () => {
    let failures = 0;
    let rotating = true;
    const load = (async () => {
      while (rotating) if ((await requestToken()).status !== 200) failures += 1;
    })();
    const { resealed } = await gatehouse.json(['secrets', 'rotate']);
    rotating = false;
    await load;
    expect(resealed.dataKeys).to.equal(4);
    expect(failures).to.equal(0);
    await gatehouse.json(['keys', 'rotate', '--now'], { env: { GATEHOUSE_SECRETS: 'n'.repeat(32) } });
    expect((await requestToken()).status).to.equal(200);
  });

  it('refuses a deleted client within five seconds', async () => {
    await gatehouse.json(['client', 'delete', client.id]);
    await within5Seconds(
      () => requestToken(),
      ({ error }) => error === 'invalid_client',
    );
  });
});
