import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createVault } from '../../../src/domain/provider-keys/create-vault.ts';
import { PROVIDER_KEY_PURPOSE } from '../../../src/domain/provider-keys/envelope.ts';
import type { Vault } from '../../../src/domain/provider-keys/vault.ts';
import { createLog } from '../../../src/kit/log.ts';
import { createWrappingRing } from '../../../src/kit/seal.ts';
import type { Services } from '../../../src/services.ts';
import { accountOf } from '../../conformance/account-store.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const OLD = 'the-old-secret-of-at-least-32-characters';
const NEW = 'the-new-secret-of-at-least-32-characters';
const OTHER = 'another-secret-of-at-least-32-characters';
const CANARY = 'sk-canary-5ings1nThEc0alM1ne7LongEnough';

const ADA = { ownerId: 'acc_ada', id: 'acc_ada', environment: null, ip: null, requestId: null };
const API = { clientId: 'demo-api', ip: null, requestId: null, credentialId: null };
const request = { ownerId: ADA.ownerId, provider: 'openai' };

describe('the vault of a deployment', () => {
  let gatehouse: Deployment;
  beforeEach(async () => {
    gatehouse = createDeployment();
    await withVault([OLD], async (vault, { stores }) => {
      await stores.accounts.insert(accountOf({ id: ADA.ownerId }));
      await vault.add({ provider: 'openai', value: CANARY, label: 'Office' }, ADA);
    });
  });
  afterEach(() => gatehouse.remove());

  const env = (...secrets: string[]) => ({ env: { GATEHOUSE_SECRETS: secrets.join(',') } });

  async function withVault<T>(
    secrets: readonly string[],
    work: (vault: Vault, services: Services) => Promise<T>,
    of = gatehouse,
  ): Promise<T> {
    await using services = await of.services({ GATEHOUSE_SECRETS: secrets.join(',') });
    return await work(services.vault, services);
  }
  /** The same vault where a secret of the ring was lost. */
  const vaultUnder = (secret: string, { stores, digester, audit, clock, vault }: Services): Vault =>
    createVault({
      store: stores.providerKeys,
      ring: createWrappingRing([secret], PROVIDER_KEY_PURPOSE),
      digester,
      providers: vault.providers(),
      checkKey: async () => 'unknown',
      requests: stores.idempotentRequests,
      audit,
      clock,
    });
  const use = (vault: Vault): Promise<string> => vault.use(request, API).then(({ value }) => value);
  const doctor = async (...secrets: string[]): Promise<string> =>
    (await gatehouse.run(['doctor'], env(...secrets))).stdout;

  it('keeps no value and no secret in the database, the audit trail, the log or what commands print', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'trace', destination: { write: (line) => void lines.push(line) } });
    const trail = await withVault([NEW, OLD], async (vault, services) => {
      expect(await use(vault)).to.equal(CANARY);
      await vault.passThrough({ ...request, value: CANARY }, API);
      const refused = await Promise.allSettled([
        use(vaultUnder(NEW, services)),
        vault.add({ provider: 'openai', value: `${CANARY} ` }, ADA),
        vault.add({ provider: 'openai', value: CANARY }, ADA, { idempotencyKey: 'once', content: CANARY }),
      ]);
      expect(refused.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
      for (const each of refused) if (each.status === 'rejected') log.error({ err: each.reason }, 'refused');
      await vault.add({ provider: 'xai', value: CANARY }, ADA, { idempotencyKey: 'twice', content: CANARY });
      await vault.update((await vault.list(ADA))[0]?.id ?? '', { label: 'Elsewhere' }, ADA);
      return services.stores.audit.list({ limit: 100 });
    });
    expect(trail.length).to.be.greaterThan(4);
    expect(lines).to.have.length(3);
    const commands = [];
    for (const args of [['secrets', 'rotate'], ['doctor'], ['keys', 'list']]) {
      const { stdout, stderr } = await gatehouse.run(args, env(NEW, OLD));
      commands.push(stdout, stderr);
    }
    const places = {
      database: gatehouse.databaseBytes(),
      trail: JSON.stringify(trail),
      log: lines.join(''),
      commands: commands.join(''),
    };
    for (const [place, text] of Object.entries(places)) {
      expect(text, place).to.have.length.greaterThan(10);
      for (const value of [CANARY, CANARY.slice(4, 30), OLD, NEW])
        for (const form of [
          value,
          ...(['base64', 'base64url', 'hex'] as const).map((as) => Buffer.from(value).toString(as)),
        ])
          expect(text.includes(form.replace(/=+$/, '')), `${place} has ${form}`).to.equal(false);
    }
    for (const shown of ['…', 'Office', 'Elsewhere']) expect(places.trail, shown).not.to.include(shown);
  });

  it('is under the new secret alone after a rotation, and a backup from before opens with the old one', async () => {
    const backup = createDeployment();
    try {
      cpSync(join(gatehouse.folder, 'data'), join(backup.folder, 'data'), { recursive: true });
      const { stdout, stderr } = await gatehouse.run(['secrets', 'rotate'], env(NEW, OLD));
      expect(stdout)
        .to.match(/wrapped 1 provider key anew/)
        .and.to.include('drop what follows the first one');
      expect(stderr).to.match(/^1 provider key wrapped anew …\n$/);
      expect(await withVault([NEW], use)).to.equal(CANARY);
      expect(await withVault([OLD], use, backup)).to.equal(CANARY);
      expect(await withVault([NEW, OLD], use, backup)).to.equal(CANARY);
    } finally {
      backup.remove();
    }
  });

  it('is what doctor looks into: what is under an old secret, and what cannot be opened', async () => {
    expect(await doctor(OLD)).to.match(/ok +provider keys +1 key can be opened/);
    const others = await withVault(
      [OLD],
      async (_vault, { stores }) => [...(await stores.dataKeys.list()), ...(await stores.signingKeys.list())].length,
    );
    const asked = new RegExp(`warn +secrets +${others + 1} keys .*\\n +Run: gatehouse secrets rotate`);
    expect(await doctor(NEW, OLD)).to.match(asked);
    await gatehouse.json(['secrets', 'rotate'], env(NEW, OLD));
    expect(await doctor(NEW)).to.match(/ok +secrets +the first one seals every key/);

    await withVault([NEW, OTHER], async (_vault, { stores }) => {
      const [row] = await stores.providerKeys.list(ADA.ownerId);
      if (row) await stores.providerKeys.rewrap(row.id, row.wrappedKey, { ...row, wrappedKey: 'v1.damaged.row' });
    });
    expect(await doctor(NEW)).to.match(/warn +provider keys +1 of 1 key cannot be opened\n +Add the secret/);
  });

  it('lets an old secret go only when nothing is wrapped by it', async () => {
    const ringOld = createWrappingRing([OLD], PROVIDER_KEY_PURPOSE);
    await withVault([OLD], async (vault, { stores }) => {
      await vault.add({ provider: 'xai', value: CANARY }, ADA);
      const [row] = await stores.providerKeys.list(ADA.ownerId);
      const to = { wrappedKey: 'v1.damaged.row', wrappedBy: ringOld.currentId };
      if (row) await stores.providerKeys.rewrap(row.id, row.wrappedKey, to);
    });
    const { stdout, code } = await gatehouse.run(['secrets', 'rotate'], env(NEW, OTHER, OLD));
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/wrapped 1 provider key anew/)
      .and.to.match(/1 provider key cannot be opened/);
    expect(stdout).to.include('Keep 1 other secret in GATEHOUSE_SECRETS').and.not.to.include('drop what follows');
    const again = await gatehouse.json(['secrets', 'rotate'], env(NEW, OTHER, OLD));
    expect(again).to.include({ unreadableProviderKeys: 1, droppableSecrets: 1 });

    // Entered again, it is under the new one, and the old one may go.
    await withVault([NEW, OLD], async (vault) => {
      const damaged = (await vault.list(ADA)).find(({ state }) => state === 'needs-re-entry');
      await vault.update(damaged?.id ?? '', { value: `${CANARY}2` }, ADA);
    });
    const last = await gatehouse.json(['secrets', 'rotate'], env(NEW, OLD));
    expect(last).to.include({ unreadableProviderKeys: 0, droppableSecrets: 1 });
  });
});
