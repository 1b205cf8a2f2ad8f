/** Strangers try made-up keys: that must cost neither the database nor those whose keys are known. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256Hex } from '../src/kit/foreign-digest.ts';
import { type Credentials, wellFormedKeys } from './credentials.ts';
import { createHttpClient } from './http.ts';
import { withServices } from './prepare.ts';
import { type Databases, type Gatehouse, startGatehouse } from './servers.ts';
import { atMost, type Finding } from './table.ts';

/** Shorter than the five seconds after which what is known of a key is read anew. */
const FLOOD_MS = 2500;
const SAMPLE_MS = 500;
const CONNECTIONS = 32;
const PER_SECOND = 100;
/** Looks for imported keys are made together. */
const PER_SECOND_WITH_IMPORTED = 12;
/**
 * A process has work of its own that no stranger causes: five seconds after its start every job has its first turn, and every five
 * seconds the usage counts of the known keys are written. The flood comes between two of these, however slow the machine is.
 */
const OWN_WORK_MS = 10_500;
/** The process's own statements in the time that a thousand verifications take: its keys, its usage counts. */
const OWN = 12;

/** First while no key was ever imported, then with one, when every unknown text may be an imported key. */
export async function measureFlood(databases: Databases, { keys, email }: Credentials): Promise<Finding[]> {
  const findings = await flood(databases, keys, { name: 'flood of made-up keys', madeUp: wellFormed() });
  await withServices(databases, ({ manageApiKeys }) =>
    manageApiKeys.importMany([{ owner: email, name: 'Imported', digest: sha256Hex('a-key'), algorithm: 'sha256' }]),
  );
  findings.push(
    ...(await flood(databases, keys, {
      name: 'the same with imported keys',
      madeUp: wellFormed(),
      perSecond: PER_SECOND_WITH_IMPORTED,
    })),
  );
  return findings;
}

function* wellFormed(): Generator<string, never> {
  for (;;) yield* wellFormedKeys(1) as [string];
}

async function flood(
  databases: Databases,
  keys: readonly string[],
  { name, madeUp, perSecond: most = PER_SECOND }: { name: string; madeUp: Iterator<string>; perSecond?: number },
): Promise<Finding[]> {
  const gatehouse = await startGatehouse(databases);
  const ownWorkDone = sleep(OWN_WORK_MS);
  const verify = createVerify(gatehouse);
  try {
    // Once for the compiler, and once to be known.
    await verify.all(keys, [200]);
    await ownWorkDone;
    const knownAt = performance.now();
    await verify.all(keys, [200]);
    const startedAt = performance.now();
    const strangers = verify.all(until(madeUp, startedAt + FLOOD_MS), [401, 503]);
    const perSecond = await busiestSecond(gatehouse, FLOOD_MS);
    const tried = await strangers;
    const before = await gatehouse.counters();
    await verify.all(keys, [200]);
    const after = await gatehouse.counters();
    // Past five seconds they are read anew in any case: on a slow machine that says nothing of the flood.
    const knownFor = `${((performance.now() - knownAt) / 1000).toFixed(1)} s`;
    const rate = `${((tried / FLOOD_MS) * 1000).toFixed(0)}/s`;
    return [
      atMost(`${name} (${rate}), SQL statements per second`, most, perSecond),
      atMost(`after it ${keys.length} known keys, read ${knownFor} ago, SQL statements`, OWN, after.sql - before.sql),
    ];
  } finally {
    verify.close();
    await gatehouse.stop();
  }
}

function* until(keys: Iterator<string>, endMs: number): Generator<string> {
  while (performance.now() < endMs) {
    const { done, value } = keys.next();
    if (done) throw new Error('there are not enough keys');
    yield value;
  }
}

/** The most statements that were sent in any second of the time. */
async function busiestSecond(gatehouse: Gatehouse, forMs: number): Promise<number> {
  const samples: { atMs: number; sql: number }[] = [];
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; await sleep(SAMPLE_MS)) {
    samples.push({ atMs: performance.now(), sql: (await gatehouse.counters()).sql });
  }
  const rates = samples.flatMap((from, index) =>
    samples
      .slice(index + 1)
      .filter(({ atMs }) => atMs - from.atMs >= 1000)
      .slice(0, 1)
      .map((to) => ((to.sql - from.sql) * 1000) / (to.atMs - from.atMs)),
  );
  return Math.max(...rates);
}

function createVerify({ port }: Gatehouse) {
  const clients = Array.from({ length: CONNECTIONS }, () => createHttpClient(port));
  return {
    /** Returns how many there were. */
    async all(keys: Iterable<string>, statuses: readonly number[]): Promise<number> {
      const left = keys[Symbol.iterator]();
      let count = 0;
      await Promise.all(
        clients.map(async (http) => {
          for (let next = left.next(); !next.done; next = left.next()) {
            count += 1;
            const { status } = await http.send('/v1/auth/verify', { headers: { 'X-API-Key': next.value } });
            if (!statuses.includes(status)) throw new Error(`HTTP ${status} for a key`);
          }
        }),
      );
      return count;
    },
    close(): void {
      for (const http of clients) http.close();
    },
  };
}
