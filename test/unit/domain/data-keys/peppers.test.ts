import { expect } from 'chai';
import { type DataKey, pepperNumber } from '../../../../src/domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../../../src/domain/data-keys/data-key-store.ts';
import { loadDataKeys } from '../../../../src/domain/data-keys/load-data-keys.ts';
import { addPepper, loadPeppers } from '../../../../src/domain/data-keys/peppers.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { createSealer, SealError } from '../../../../src/kit/seal.ts';

const sealer = createSealer(['the key-encryption secret of this year']);
const clock = { ...systemClock, atMs: 1_800_000_000_000, nowMs: () => clock.atMs };
const digest = (pepper: { digester: { digest(purpose: string, value: string): string } } | null) =>
  pepper?.digester.digest('x', 'y');

function inMemory(): DataKeyStore & { rows: DataKey[]; reads: number } {
  const store = {
    rows: [] as DataKey[],
    reads: 0,
    async list() {
      store.reads += 1;
      return store.rows.map((row) => ({ ...row }));
    },
    async insertAll(keys: readonly DataKey[]) {
      if (keys.some(({ name }) => store.rows.some((row) => row.name === name))) return false;
      store.rows.push(...keys);
      return true;
    },
    reseal: async () => false,
  };
  return store;
}

const recorded: unknown[] = [];
const audit = async (type: string, facts?: { details?: unknown }) => void recorded.push({ type, ...facts });

describe('the peppers of API keys', () => {
  it('begin with one, which a database from before them gets too', async () => {
    const store = inMemory();
    await loadDataKeys({ store, sealer, clock });
    const peppers = await loadPeppers({ store, sealer, clock });
    expect(store.rows.map(({ name }) => name)).to.deep.equal(['digest', 'seal', 'cookies', 'api-key.1']);
    expect(peppers.current().id).to.equal('api-key.1');
    // The fixed keys are still found, and are not peppers.
    await loadDataKeys({ store, sealer, clock });
    for (const name of ['digest', 'api-key.0', 'api-key.01', 'api-key.', 'api-key.x', 'toString']) {
      expect(peppers.find(name), name).to.equal(null);
      expect(pepperNumber(name), name).to.equal(null);
    }
  });

  it('are the same for 50 processes that start at once', async () => {
    const store = inMemory();
    const all = await Promise.all(Array.from({ length: 50 }, () => loadPeppers({ store, sealer, clock })));
    expect(new Set(all.map((peppers) => digest(peppers.current()))).size).to.equal(1);
    expect(store.rows).to.have.length(1);
  });

  it('are never made anew for a ring that does not open them', async () => {
    const store = inMemory();
    await loadPeppers({ store, sealer, clock });
    const before = JSON.stringify(store.rows);
    const other = createSealer(['a secret that sealed nothing of this']);
    const error = await loadPeppers({ store, sealer: other, clock }).catch((failure) => failure);
    expect(error).to.be.instanceOf(SealError);
    expect(JSON.stringify(store.rows)).to.equal(before);
  });

  it('get the next number each time, even when 50 are added at once, and the highest is the current one', async () => {
    const store = inMemory();
    const peppers = await loadPeppers({ store, sealer, clock });
    const first = digest(peppers.current());
    const added = await Promise.all(Array.from({ length: 50 }, () => addPepper({ store, sealer, clock, audit })));
    expect(new Set(added).size).to.equal(50);
    expect(peppers.current().id).to.equal('api-key.1');
    await peppers.reload();
    expect(peppers.current().id).to.equal('api-key.51');
    expect(digest(peppers.find('api-key.1'))).to.equal(first);
    expect(digest(peppers.current())).not.to.equal(first);
    expect(recorded).to.deep.include({ type: 'secrets.rotated', details: { apiKeyPepper: 'api-key.51' } });
  });

  it('are read anew once for all who ask, and once a second when there is nothing new', async () => {
    const store = inMemory();
    const peppers = await loadPeppers({ store, sealer, clock });
    const before = store.reads;
    await Promise.all(Array.from({ length: 50 }, () => peppers.reload()));
    expect(store.reads).to.equal(before + 1);
    for (let count = 0; count < 50; count += 1) await peppers.reload();
    expect(store.reads).to.equal(before + 1);
    clock.atMs += 1001;
    await addPepper({ store, sealer, clock, audit });
    await peppers.reload();
    expect(peppers.current().id).to.equal('api-key.2');
  });

  it('stay usable when reading them anew fails', async () => {
    const store = inMemory();
    const peppers = await loadPeppers({ store, sealer, clock });
    const list = store.list;
    store.list = async () => {
      throw new Error('the database is away');
    };
    await peppers.reload().then(
      () => expect.fail('the caller must learn that it failed'),
      (error: unknown) => expect(error).to.be.instanceOf(Error),
    );
    expect(peppers.current().id).to.equal('api-key.1');
    store.list = list;
    await addPepper({ store, sealer, clock, audit });
    await peppers.reload();
    expect(peppers.current().id).to.equal('api-key.2');
  });
});
