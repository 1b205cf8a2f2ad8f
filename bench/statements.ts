import { type Fixture, JWT_API, OPAQUE_API } from './fixtures.ts';
import { createFlows } from './flows.ts';
import { createAccounts } from './prepare.ts';
import { type Databases, startGatehouse } from './servers.ts';
import { median } from './statistics.ts';

export interface Cost {
  flow: string;
  sql: number;
  redis: number;
}

const TIMES = 5;

/** What each flow asks of the databases, once clients and resource servers are known to the process. */
export async function countStatements(databases: Databases, fixture: Fixture): Promise<Cost[]> {
  const emails = await createAccounts(databases, TIMES + 1);
  // Without the jobs, whose statements would be counted too; the median drops the look at the signing keys every 2 s.
  const gatehouse = await startGatehouse(databases, { env: { GATEHOUSE_JOBS: 'off' } });
  const flows = createFlows(gatehouse, fixture);
  const costs = new Map<string, { sql: number[]; redis: number[] }>();

  async function counted<T>(flow: string, work: () => Promise<T>): Promise<T> {
    const before = await gatehouse.counters();
    const result = await work();
    const after = await gatehouse.counters();
    const cost = costs.get(flow) ?? { sql: [], redis: [] };
    costs.set(flow, cost);
    cost.sql.push(after.sql - before.sql);
    cost.redis.push(after.redis - before.redis);
    return result;
  }

  try {
    for (const [turn, email] of emails.entries()) {
      const code = await counted('first sign-in and consent, up to the code', () => flows.signIn(email));
      const tokens = await counted('code to tokens', () => flows.redeem(code));
      await counted('refresh', () => flows.refresh(tokens));
      const token = await counted('client credentials, opaque', () => flows.clientCredentials(OPAQUE_API));
      await counted('client credentials, JWT ES256', () => flows.clientCredentials(JWT_API));
      await counted('introspection, opaque', () => flows.introspect(token));
      // The first turn fills the caches.
      if (turn === 0) costs.clear();
    }
  } finally {
    flows.close();
    await gatehouse.stop();
  }
  return Array.from(costs, ([flow, { sql, redis }]) => ({ flow, sql: median(sql), redis: median(redis) }));
}
