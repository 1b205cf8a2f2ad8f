import type { Clock } from '../../kit/clock.ts';
import { createDigester, type Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { randomBytes } from '../../kit/random.ts';
import type { Sealer } from '../../kit/seal.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { type DataKey, dataKeyContext, type PepperName, pepperNumber } from './data-key.ts';
import type { DataKeyStore } from './data-key-store.ts';

/**
 * One of the keys that API keys are digested under. Someone who can write the database but lacks it can make no digest of a key of
 * their own; and nobody makes of one key's row that of another (row-macs/row-macs.ts).
 */
export interface Pepper {
  id: PepperName;
  digester: Digester;
}

/** The peppers as this process knows them. */
export interface Peppers {
  /** The one with the highest number: what new digests are made with. */
  current(): Pepper;
  find(id: string): Pepper | null;
  /**
   * Reads them anew: another process may have added one. Once for all who ask meanwhile, and for a second no more when there
   * was nothing new. Throws SealError for one that the ring of this process does not open, and keeps those it has.
   */
  reload(): Promise<void>;
}

const QUIET_MS = 1000;
/** Of 50 operators who add one at once each gets a number of its own; that many times one may find it taken. */
const ATTEMPTS = 100;

/** Opens the peppers; makes the first one where there is none. Of two processes that do so at once, one makes it. */
export async function loadPeppers({
  store,
  sealer,
  clock,
}: {
  store: DataKeyStore;
  sealer: Sealer;
  clock: Clock;
}): Promise<Peppers> {
  if ((await pepperRows(store)).length === 0) await store.insertAll([freshPepper(1, sealer, clock)]);
  let known: readonly Pepper[] = [];
  let foundNothingAtMs: number | null = null;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    const rows = await pepperRows(store);
    foundNothingAtMs = rows.length === known.length ? clock.nowMs() : null;
    // A pepper never changes: those that are open already stay as they are.
    known = rows.map(
      (row) =>
        known.find((pepper) => pepper.id === row.name) ?? {
          id: row.name,
          digester: createDigester(sealer.open(row.sealed, dataKeyContext(row.name))),
        },
    );
  }
  await read();

  return {
    current() {
      const last = known.at(-1);
      if (!last)
        throw new AppError('server_error', { internal: 'the peppers of API keys are missing in the database' });
      return last;
    },
    find: (id) => known.find((pepper) => pepper.id === id) ?? null,
    reload() {
      const isQuiet = foundNothingAtMs !== null && Math.abs(clock.nowMs() - foundNothingAtMs) < QUIET_MS;
      if (!reading && isQuiet) return Promise.resolve();
      reading ??= read().finally(() => {
        reading = null;
      });
      return reading;
    },
  };
}

/**
 * Adds the next pepper and returns its name. Servers learn of it by the first key that carries it, and digest the others anew
 * when they are used; the older peppers must stay until no key needs them.
 */
export async function addPepper({
  store,
  sealer,
  clock,
  audit,
}: {
  store: DataKeyStore;
  sealer: Sealer;
  clock: Clock;
  audit: RecordAudit;
}): Promise<PepperName> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const last = (await pepperRows(store)).at(-1);
    const pepper = freshPepper((last ? (pepperNumber(last.name) ?? 0) : 0) + 1, sealer, clock);
    if (!(await store.insertAll([pepper]))) continue;
    await audit('secrets.rotated', { details: { apiKeyPepper: pepper.name } });
    return pepper.name;
  }
  throw new AppError('temporarily_unavailable', { internal: 'others kept adding peppers meanwhile; run it again' });
}

type PepperRow = DataKey & { name: PepperName };

/** In the order of their numbers. Names that are no pepper's belong to others. */
async function pepperRows(store: DataKeyStore): Promise<PepperRow[]> {
  return (await store.list())
    .filter((row): row is PepperRow => pepperNumber(row.name) !== null)
    .sort((a, b) => (pepperNumber(a.name) ?? 0) - (pepperNumber(b.name) ?? 0));
}

function freshPepper(number: number, sealer: Sealer, clock: Clock): PepperRow {
  const name: PepperName = `api-key.${number}`;
  return { name, sealed: sealer.seal(randomBytes(32), dataKeyContext(name)), createdAt: clock.nowMs() };
}
