import { withConnection } from '../test/support/servers/sql-server.ts';
import { createCredentials } from './credentials.ts';
import { fillApiKeys, fillClients, fillTokens } from './fill.ts';
import { type Credentials, type Fixture, JWT_API, OPAQUE_API } from './fixtures.ts';
import { createFlows, type Flows } from './flows.ts';
import { createAccounts, createClients, prepare } from './prepare.ts';
import { type Gatehouse, startGatehouse } from './servers.ts';
import { median } from './statistics.ts';
import { atMost, type Finding, findingsTable } from './table.ts';
import type { Setting } from './targets.ts';

const CLIENTS = 1_000_000;
const TOKENS = 5_000_000;
const API_KEYS = 1_000_000;
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
  apiKeys: readonly string[];
}

/** Every flow, one at a time, in turn against an empty and a large database, so that both see the same machine. */
export async function measureLarge({ postgres, redisUrl, print }: Setting): Promise<void> {
  async function open(databaseUrl: string, redisDatabase: number): Promise<Side> {
    const databases = { databaseUrl, redisUrl: redisUrl === null ? null : `${redisUrl}/${redisDatabase}` };
    const fixture = await prepare(databases);
    const strangers = await createClients(databases, TIMES);
    const emails = await createAccounts(databases, SIGN_INS);
    const { keys: apiKeys } = await createCredentials(databases, { keys: TIMES });
    if (redisDatabase === 1) await fill(databaseUrl, print);
    await withConnection('pg', databaseUrl, (db) => db.raw('vacuum analyze'));
    const gatehouse = await startGatehouse(databases);
    return { gatehouse, fixture, flows: createFlows(gatehouse, fixture), emails, strangers, apiKeys };
  }
  const empty = await open(postgres.url, 0);
  const largeUrl = await postgres.createDatabase();
  const large = await open(largeUrl, 1);

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
  const statements = { before: (await large.gatehouse.counters()).sql, after: 0 };
  await compare(
    'verify, API key not seen before',
    TIMES,
    ({ flows, apiKeys }, turn) => flows.verify(apiKeys[turn] ?? ''),
    0,
  );
  statements.after = (await large.gatehouse.counters()).sql;
  findings.push(atMost('the same, SQL statements each', 1.1, (statements.after - statements.before) / TIMES));
  findings.push(await indexUse(largeUrl));
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

/** How PostgreSQL finds an API key among a million. */
const indexUse = (databaseUrl: string): Promise<Finding> =>
  withConnection('pg', databaseUrl, async (db) => {
    const { rows } = (await db.raw(
      "explain select * from api_keys join accounts on accounts.id = api_keys.owner_id where api_keys.id = 'key_x'",
    )) as { rows: { 'QUERY PLAN': string }[] };
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    const passed = plan.includes('api_keys_pkey') && !plan.includes('Seq Scan on api_keys');
    return { name: 'the same, by its index', target: 'yes', measured: passed ? 'yes' : plan, passed };
  });

async function fill(databaseUrl: string, print: (text: string) => void): Promise<void> {
  const startedAt = performance.now();
  const size = await withConnection('pg', databaseUrl, async (db) => {
    await fillClients(db, CLIENTS);
    await fillApiKeys(db, API_KEYS);
    await fillTokens(db, { count: TOKENS, expiresInSeconds: 86_400 });
    const { rows } = (await db.raw('select pg_size_pretty(pg_database_size(current_database())) as size')) as {
      rows: { size: string }[];
    };
    return rows[0]?.size;
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  print(`${CLIENTS} clients, ${API_KEYS} API keys and ${TOKENS} token rows loaded in ${seconds} s: ${size}`);
}
