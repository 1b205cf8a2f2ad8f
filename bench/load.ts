import autocannon from 'autocannon';
import { cpuMs } from './cores.ts';
import { basic, type Credentials, FORM, PROXY_HEADERS } from './fixtures.ts';
import type { MeasuredServer } from './servers.ts';
import { percentile } from './statistics.ts';

export interface Load {
  path: string;
  client: Credentials;
  /** Sent in turn. */
  bodies: readonly string[];
  /** What every answer must contain. */
  expect: string;
  seconds: number;
  connections: number;
}

export interface LoadResult {
  /** Requests per second. */
  rate: number;
  cpuMsPerRequest: number;
  /** The share of its core that the server used: much below 1, something else set the rate. */
  coreShare: number;
  p50Ms: number;
  p99Ms: number;
}

/** As fast as the server answers. Any answer but the expected one is an error. */
export async function runLoad(server: MeasuredServer, load: Load): Promise<LoadResult> {
  const times: number[] = [];
  const [startedAt, cpuBefore] = [performance.now(), cpuMs(server.pid)];
  const run = autocannon({
    url: `http://127.0.0.1:${server.port}${load.path}`,
    connections: load.connections,
    duration: load.seconds,
    method: 'POST',
    headers: { ...PROXY_HEADERS, Authorization: basic(load.client), 'Content-Type': FORM },
    requests: load.bodies.map((body) => ({ body })),
    verifyBody: (body) => body.includes(load.expect),
    sampleInt: 100,
  });
  run.on('response', (_client, _status, _bytes, ms) => times.push(ms));
  const result = await run;
  const [wallMs, cpu] = [performance.now() - startedAt, cpuMs(server.pid) - cpuBefore];
  if (result.non2xx + result.errors + result.mismatches > 0) {
    const { errors, mismatches, statusCodeStats } = result;
    throw new Error(`${server.name} ${load.path}: ${JSON.stringify({ errors, mismatches, statusCodeStats })}`);
  }
  return {
    rate: result['2xx'] / result.duration,
    cpuMsPerRequest: cpu / result['2xx'],
    coreShare: cpu / wallMs,
    p50Ms: percentile(times, 50),
    p99Ms: percentile(times, 99),
  };
}
