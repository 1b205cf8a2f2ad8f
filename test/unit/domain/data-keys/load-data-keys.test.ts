import { expect } from 'chai';
import type { DataKey } from '../../../../src/domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../../../src/domain/data-keys/data-key-store.ts';
import { loadDataKeys } from '../../../../src/domain/data-keys/load-data-keys.ts';
import { createSealer, SealError } from '../../../../src/kit/seal.ts';

const RING = 'the key-encryption secret of this year';
const clock = { nowMs: () => 1_800_000_000_000, nowSeconds: () => 1_800_000_000 };

function inMemory(rows: DataKey[] = []): DataKeyStore & { rows: DataKey[] } {
  return {
    rows,
    list: async () => [...rows],
    async insertAll(keys) {
      if (rows.length > 0) return false;
      rows.push(...keys);
      return true;
    },
    async reseal(name, from, to) {
      const row = rows.find((candidate) => candidate.name === name && candidate.sealed === from);
      if (row) row.sealed = to;
      return row !== undefined;
    },
  };
}

describe('the data keys', () => {
  it('are made once, on an empty database, and are the same ever after', async () => {
    const store = inMemory();
    const sealer = createSealer([RING]);
    const first = await loadDataKeys({ store, sealer, clock });
    const second = await loadDataKeys({ store, sealer, clock });
    expect(Object.keys(first).sort()).to.deep.equal(['cookies', 'digest', 'seal']);
    for (const name of ['digest', 'seal', 'cookies'] as const) {
      expect(first[name].length).to.equal(32);
      expect(second[name].equals(first[name])).to.equal(true);
    }
    expect(new Set(Object.values(first).map((key) => key.toString('hex'))).size).to.equal(3);
  });

  it('are the same for two processes that start at once', async () => {
    const store = inMemory();
    const sealer = createSealer([RING]);
    const [one, two] = await Promise.all([
      loadDataKeys({ store, sealer, clock }),
      loadDataKeys({ store, sealer, clock }),
    ]);
    expect(one?.digest.equals(two?.digest ?? Buffer.alloc(0))).to.equal(true);
    expect(store.rows).to.have.length(3);
  });

  it('are never made anew for a ring that does not open them', async () => {
    const store = inMemory();
    await loadDataKeys({ store, sealer: createSealer([RING]), clock });
    const before = JSON.stringify(store.rows);
    const error = await loadDataKeys({ store, sealer: createSealer([`${RING}, another`]), clock }).catch(
      (failure) => failure,
    );
    expect(error).to.be.instanceOf(SealError);
    expect(JSON.stringify(store.rows)).to.equal(before);
  });

  it('are never made anew when one of them is missing', async () => {
    const store = inMemory();
    const sealer = createSealer([RING]);
    await loadDataKeys({ store, sealer, clock });
    store.rows.splice(1, 1);
    const error = await loadDataKeys({ store, sealer, clock }).catch((failure) => failure);
    expect(error).to.be.instanceOf(SealError);
    expect(store.rows).to.have.length(2);
  });

  it('cannot be exchanged among each other in the database', async () => {
    const store = inMemory();
    const sealer = createSealer([RING]);
    await loadDataKeys({ store, sealer, clock });
    const [a, b] = store.rows;
    if (a && b) [a.sealed, b.sealed] = [b.sealed, a.sealed];
    const error = await loadDataKeys({ store, sealer, clock }).catch((failure) => failure);
    expect(error).to.be.instanceOf(SealError);
  });
});
