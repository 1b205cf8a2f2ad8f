import { expect } from 'chai';
import type { AuditType } from '../../../../src/domain/audit/audit-event.ts';
import type { DataKey } from '../../../../src/domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../../../src/domain/data-keys/data-key-store.ts';
import { loadDataKeys } from '../../../../src/domain/data-keys/load-data-keys.ts';
import { rotateSecrets } from '../../../../src/domain/data-keys/rotate-secrets.ts';
import type { ProviderKeyStore } from '../../../../src/domain/provider-keys/provider-key-store.ts';
import { generateSigningKey, loadSigningKey } from '../../../../src/domain/signing-keys/key-material.ts';
import type { SigningKey } from '../../../../src/domain/signing-keys/signing-key.ts';
import type { SigningKeyStore } from '../../../../src/domain/signing-keys/signing-key-store.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { createSealer, createWrappingRing, SealError, type Sealer } from '../../../../src/kit/seal.ts';

const OLD = 'o'.repeat(32);
const NEW = 'n'.repeat(32);

/** Two stores whose rows are here, and what happens before a row is resealed. */
async function createStores(sealer: Sealer) {
  const rows = { data: [] as DataKey[], signing: [] as SigningKey[] };
  const hooks = { beforeReseal: (): void => {} };
  const dataKeys: DataKeyStore = {
    list: async () => rows.data.map((row) => ({ ...row })),
    insertAll: async (keys) => rows.data.push(...keys) > 0,
    async reseal(name, from, to) {
      const row = rows.data.find((each) => each.name === name && each.sealed === from);
      if (row) row.sealed = to;
      return row !== undefined;
    },
  };
  const signingKeys: Pick<SigningKeyStore, 'list' | 'reseal'> = {
    list: async () => rows.signing.map((row) => ({ ...row })),
    async reseal(kid, from, to) {
      hooks.beforeReseal();
      const row = rows.signing.find((each) => each.kid === kid && each.sealedPrivateJwk === from);
      if (row) row.sealedPrivateJwk = to;
      return row !== undefined;
    },
  };
  await loadDataKeys({ store: dataKeys, sealer, clock: systemClock });
  for (const state of ['active', 'published'] as const) {
    rows.signing.push(await generateSigningKey('ES256', state, sealer, systemClock.nowMs()));
  }
  const recorded: { type: AuditType; details: unknown }[] = [];
  const rotate = (ring: readonly string[]) =>
    rotateSecrets({
      dataKeys,
      signingKeys: signingKeys as SigningKeyStore,
      // None here; unit/domain/provider-keys/rotate-secrets.test.ts has the rotation of these.
      providerKeys: { listWrappedByOthers: async () => [] } as unknown as ProviderKeyStore,
      sealer: createSealer(ring),
      ring: createWrappingRing(ring, 'provider-key'),
      audit: async (type, facts) => void recorded.push({ type, details: facts?.details }),
    });
  return { rows, hooks, dataKeys, recorded, rotate };
}

describe('rotating the secrets', () => {
  it('seals every key under the first secret, and the keys stay the same', async () => {
    const before = createSealer([OLD]);
    const { rows, dataKeys, recorded, rotate } = await createStores(before);
    const keysBefore = await loadDataKeys({ store: dataKeys, sealer: before, clock: systemClock });
    const privateBefore = rows.signing.map((key) => loadSigningKey(key, before).privateJwk);

    const none = { providerKeys: 0, unreadable: new Map() };
    expect(await rotate([NEW, OLD])).to.deep.equal({ dataKeys: 3, signingKeys: 2, ...none });

    const after = createSealer([NEW]);
    expect(await loadDataKeys({ store: dataKeys, sealer: after, clock: systemClock })).to.deep.equal(keysBefore);
    expect(rows.signing.map((key) => loadSigningKey(key, after).privateJwk)).to.deep.equal(privateBefore);
    const details = { dataKeys: 3, signingKeys: 2, providerKeys: 0, unreadable: 0 };
    expect(recorded).to.deep.equal([{ type: 'secrets.rotated', details }]);
  });

  it('does nothing a second time', async () => {
    const { rotate } = await createStores(createSealer([OLD]));
    await rotate([NEW, OLD]);
    expect(await rotate([NEW, OLD])).to.include({ dataKeys: 0, signingKeys: 0 });
    expect(await rotate([NEW])).to.include({ dataKeys: 0, signingKeys: 0 });
  });

  it('changes nothing when the ring lacks the secret that sealed the keys', async () => {
    const { rows, recorded, rotate } = await createStores(createSealer([OLD]));
    const before = structuredClone(rows);
    await rotate([NEW]).then(
      () => expect.fail('it must be refused'),
      (error: unknown) => expect(error).to.be.instanceOf(SealError),
    );
    expect(rows).to.deep.equal(before);
    expect(recorded).to.deep.equal([]);
  });

  it('never overwrites a key that another process changed meanwhile, and still gets it', async () => {
    const sealer = createSealer([OLD]);
    const { rows, hooks, rotate } = await createStores(sealer);
    const fresh = await generateSigningKey('ES256', 'published', sealer, systemClock.nowMs());
    const [replaced] = rows.signing;
    hooks.beforeReseal = () => {
      hooks.beforeReseal = () => {};
      // The row is sealed anew by somebody else, and a further key appears.
      if (replaced)
        replaced.sealedPrivateJwk = sealer.seal(
          sealer.open(replaced.sealedPrivateJwk, `signing-key:${replaced.kid}`),
          `signing-key:${replaced.kid}`,
        );
      rows.signing.push(fresh);
    };
    expect(await rotate([NEW, OLD])).to.include({ dataKeys: 3, signingKeys: 3 });
    const after = createSealer([NEW]);
    for (const key of rows.signing) expect(loadSigningKey(key, after).kid).to.equal(key.kid);
  });
});
