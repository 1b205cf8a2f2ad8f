import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

const OLD = 'pX2mVt8qLr4nKz7wBs9dGh3jFy6cTa1eUo5iQb0x';
const NEW = 'Rk6zWn3vYq8tHm1xJc5pDs9bLf2gEa7uTo4iVw0y';
const withSecrets = (secrets: string) => ({ env: { GATEHOUSE_SECRETS: secrets } });

describe('gatehouse secrets rotate', () => {
  let gatehouse: Deployment;
  beforeEach(async () => {
    gatehouse = createDeployment();
  });
  afterEach(() => gatehouse.remove());

  it('lets the new secret open everything by itself, and the old one nothing', async () => {
    const keys = await gatehouse.json(['keys', 'list'], withSecrets(OLD));
    const { id, secret } = await gatehouse.json(
      ['client', 'create', '--type', 'machine', '--name', 'Robot'],
      withSecrets(OLD),
    );

    const early = await gatehouse.run(['keys', 'list'], withSecrets(NEW));
    expect(early).to.include({ code: 1, stdout: '' });
    expect(early.stderr).to.include('GATEHOUSE_SECRETS: no secret given opens this database');

    const rotated = await gatehouse.run(['secrets', 'rotate'], withSecrets(`${NEW},${OLD}`));
    expect(rotated.code).to.equal(0);
    expect(rotated.stdout).to.match(/4 data keys and 4 signing keys/);
    expect(rotated.stdout).to.match(/drop what follows the first one from GATEHOUSE_SECRETS and restart/);

    expect(await gatehouse.json(['keys', 'list'], withSecrets(NEW))).to.deep.equal(keys);
    const late = await gatehouse.run(['keys', 'list'], withSecrets(OLD));
    expect(late).to.include({ code: 1, stdout: '' });
    expect(late.stderr).to.match(/no secret given opens this database.*nothing was changed/);

    // What was stored under the data keys is still good.
    await using services = await gatehouse.services({ GATEHOUSE_SECRETS: NEW });
    const { secretMatches } = await import('../../../src/domain/clients/client-secrets.ts');
    const client = await services.manageClients.get(id);
    expect(secretMatches(services.digester, client, secret, Date.now())).to.equal(true);
    const [event] = await services.stores.audit.list({ type: 'secrets.rotated', limit: 1 });
    expect(event?.details).to.deep.equal({ dataKeys: 4, signingKeys: 4, providerKeys: 0, unreadable: 0 });
  });

  it('does nothing twice, and says how to begin when there is one secret only', async () => {
    await gatehouse.json(['secrets', 'rotate'], withSecrets(OLD));
    const { stdout } = await gatehouse.run(['secrets', 'rotate'], withSecrets(OLD));
    expect(stdout).to.match(/0 data keys and 0 signing keys.*\n.*put a new one in front of it/);
    const again = await gatehouse.json(['secrets', 'rotate'], withSecrets(`${NEW},${OLD}`));
    expect(again).to.deep.equal({
      resealed: { dataKeys: 4, signingKeys: 4, providerKeys: 0 },
      unreadableProviderKeys: 0,
      droppableSecrets: 1,
      source: 'GATEHOUSE_SECRETS',
    });
    const last = await gatehouse.json(['secrets', 'rotate'], withSecrets(`${NEW},${OLD}`));
    expect(last.resealed).to.deep.equal({ dataKeys: 0, signingKeys: 0, providerKeys: 0 });
  });

  it('works on the file of development, and tells which file', async () => {
    const keys = await gatehouse.json(['keys', 'list']);
    const file = join(gatehouse.folder, 'data', 'secrets.json');
    const [old] = JSON.parse(readFileSync(file, 'utf8')).secrets;
    writeFileSync(file, JSON.stringify({ secrets: [NEW, old] }));
    const { stdout } = await gatehouse.run(['secrets', 'rotate']);
    expect(stdout).to.include(`from ${file} and restart`);
    writeFileSync(file, JSON.stringify({ secrets: [NEW] }));
    expect(await gatehouse.json(['keys', 'list'])).to.deep.equal(keys);
  });

  it('is what doctor asks for while keys are sealed under another secret', async () => {
    await gatehouse.json(['keys', 'list'], withSecrets(OLD));
    const asked = await gatehouse.run(['doctor'], withSecrets(`${NEW},${OLD}`));
    expect(asked.stdout).to.match(/warn {2}secrets +8 keys .*\n +Run: gatehouse secrets rotate/);
    await gatehouse.json(['secrets', 'rotate'], withSecrets(`${NEW},${OLD}`));
    expect((await gatehouse.run(['doctor'], withSecrets(NEW))).stdout).not.to.include('warn');
  });
});
