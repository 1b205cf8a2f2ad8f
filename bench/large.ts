import { withConnection } from '../test/support/servers/sql-server.ts';
import { fillClients, fillTokens } from './fill.ts';
import { type Credentials, type Fixture, JWT_API, OPAQUE_API } from './fixtures.ts';
import { createFlows, type Flows } from './flows.ts';
import { createAccounts, createClients, prepare } from './prepare.ts';
import { type Gatehouse, startGatehouse } from './servers.ts';
import { median } from './statistics.ts';
import { type Finding, findingsTable } from './table.ts';
import type { Setting } from './targets.ts';

const CLIENTS = 1_000_000;
const TOKENS = 5_000_000;
const TIMES = 400;
/** A sign-in takes ten requests and a password hash. */
const SIGN_INS = 60;
const LIMIT = 1.2;

interface Side {
  gatehouse: Gatehouse;
  fixture: Fixture;
  flows: Flows;
  emails: string[];
  strangers: Credentials[];
}

/** Every flow, one at a time, in turn against an empty and a large database, so that both see the same machine. */
export async function measureLarge({ postgres, redisUrl, print }: Setting): Promise<void> {
  async function open(databaseUrl: string, redisDatabase: number): Promise<Side> {
    const databases = { databaseUrl, redisUrl: redisUrl === null ? null : `${redisUrl}/${redisDatabase}` };
    const fixture = await prepare(databases);
    const strangers = await createClients(databases, TIMES);
    const emails = await createAccounts(databases, SIGN_INS);
    if (redisDatabase === 1) await fill(databaseUrl, print);
    await withConnection('pg', databaseUrl, (db) => db.raw('vacuum analyze'));
    const gatehouse = await startGatehouse(databases);
    return { gatehouse, fixture, flows: createFlows(gatehouse, fixture), emails, strangers };
  }
  const empty = await open(postgres.url, 0);
  const large = await open(await postgres.createDatabase(), 1);

  const findings: Finding[] = [];
  async function compare(
    name: string,
    times: number,
    work: (side: Side, turn: number) => Promise<unknown>,
    warmUp = 30,
  ): Promise<void> {
    const took = { empty: [] as number[], large: [] as number[] };
    for (let turn = -warmUp; turn < times; turn += 1) {
      for (const which of turn % 2 === 0 ? (['empty', 'large'] as const) : (['large', 'empty'] as const)) {
        const startedAt = performance.now();
        await work(which === 'empty' ? empty : large, turn);
        if (turn >= 0) took[which].push(performance.now() - startedAt);
      }
    }
    const [before, after] = [median(took.empty), median(took.large)];
    const measured = `${(after / before).toFixed(2)} x (${before.toFixed(2)} -> ${after.toFixed(2)} ms)`;
    findings.push({ name: `${name}, p50`, target: `<= ${LIMIT} x`, measured, passed: after / before <= LIMIT });
  }

  const codes = new Map<Side, Awaited<ReturnType<Flows['signIn']>>[]>([
    [empty, []],
    [large, []],
  ]);
  const chains = new Map<Side, Awaited<ReturnType<Flows['redeem']>>>();
  const tokens = new Map<Side, string>();
  for (const side of [empty, large]) tokens.set(side, await side.flows.clientCredentials(OPAQUE_API));

  await compare('client credentials, opaque', TIMES, ({ flows }) => flows.clientCredentials(OPAQUE_API));
  await compare('client credentials, JWT ES256', TIMES, ({ flows }) => flows.clientCredentials(JWT_API));
  await compare(
    'client credentials, JWT, client not seen before',
    TIMES,
    ({ flows, strangers }, turn) => flows.clientCredentials(JWT_API, strangers[turn]),
    0,
  );
  await compare('introspection, opaque', TIMES, (side) => side.flows.introspect(tokens.get(side) ?? ''));
  await compare(
    'first sign-in and consent',
    SIGN_INS,
    async (side, turn) => codes.get(side)?.push(await side.flows.signIn(side.emails[turn] ?? '')),
    0,
  );
  await compare(
    'code to tokens',
    SIGN_INS,
    async (side, turn) => {
      const code = codes.get(side)?.[turn];
      if (code) chains.set(side, await side.flows.redeem(code));
    },
    0,
  );
  await compare('refresh', TIMES, async (side) => {
    const last = chains.get(side);
    if (last) chains.set(side, await side.flows.refresh(last));
  });

  for (const { flows, gatehouse } of [empty, large]) {
    flows.close();
    await gatehouse.stop();
  }
  print(`\n${findingsTable(findings)}`);
}

async function fill(databaseUrl: string, print: (text: string) => void): Promise<void> {
  const startedAt = performance.now();
  const size = await withConnection('pg', databaseUrl, async (db) => {
    await fillClients(db, CLIENTS);
    await fillTokens(db, { count: TOKENS, expiresInSeconds: 86_400 });
    const { rows } = (await db.raw('select pg_size_pretty(pg_database_size(current_database())) as size')) as {
      rows: { size: string }[];
    };
    return rows[0]?.size;
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  print(`${CLIENTS} clients and ${TOKENS} token rows loaded in ${seconds} s: ${size}`);
}
