import type { Credentials } from './credentials.ts';
import type { Fixture } from './fixtures.ts';
import { createHttpClient, due, type HttpClient } from './http.ts';
import type { Load } from './load.ts';
import { type Databases, startGatehouse } from './servers.ts';
import type { Cost } from './statements.ts';
import { median } from './statistics.ts';
import { verifyRequests } from './verify-requests.ts';

const BATCHES = 9;
const BATCH = 20;

/** What a batch of requests of each kind asks of the databases, once their credentials are known to the process. */
export async function countWarmVerifies(
  databases: Databases,
  fixture: Fixture,
  credentials: Credentials,
): Promise<Cost[]> {
  // Without the jobs, whose statements would be counted too; the median drops the look at the signing keys every 2 s.
  const gatehouse = await startGatehouse(databases, { env: { GATEHOUSE_JOBS: 'off' } });
  const http = createHttpClient(gatehouse.port);
  const costs: Cost[] = [];
  try {
    for (const kind of verifyRequests(fixture, credentials)) {
      const load = await kind.load(gatehouse);
      await send(http, load, 0);
      const batches: { sql: number; redis: number }[] = [];
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const before = await gatehouse.counters();
        for (let turn = 0; turn < BATCH; turn += 1) await send(http, load, batch * BATCH + turn);
        const after = await gatehouse.counters();
        batches.push({ sql: after.sql - before.sql, redis: after.redis - before.redis });
      }
      costs.push({
        flow: `${kind.name}, ${BATCH} times`,
        sql: median(batches.map(({ sql }) => sql)),
        redis: median(batches.map(({ redis }) => redis)),
      });
    }
  } finally {
    http.close();
    await gatehouse.stop();
  }
  return costs;
}

/** The same request as the load generator's. */
async function send(http: HttpClient, { path, headers, requests = [{}], status }: Load, turn: number): Promise<void> {
  const request = requests[turn % requests.length];
  const json = request?.body === undefined ? {} : { json: JSON.parse(request.body) as object };
  due(await http.send(path, { headers: { ...headers, ...request?.headers }, ...json }), status);
}
