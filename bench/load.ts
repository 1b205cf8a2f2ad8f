import autocannon from 'autocannon';
import { cpuMs } from './cores.ts';
import { PROXY_HEADERS } from './fixtures.ts';
import type { MeasuredServer } from './servers.ts';
import { percentile } from './statistics.ts';

export interface Load {
  method: 'GET' | 'POST';
  path: string;
  headers: Readonly<Record<string, string>>;
  /** What differs between requests, sent in turn by each connection. */
  requests?: readonly { body?: string; headers?: Readonly<Record<string, string>> }[];
  /** The status that every answer must have, and what its body must contain. */
  status: number;
  expect: string;
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

const CONNECTIONS = 32;

/** As fast as the server answers. Any answer but the expected one is an error. */
export async function runLoad(server: MeasuredServer, load: Load, seconds: number): Promise<LoadResult> {
  const times: number[] = [];
  const [startedAt, cpuBefore] = [performance.now(), cpuMs(server.pid)];
  const run = autocannon({
    url: `http://127.0.0.1:${server.port}${load.path}`,
    connections: CONNECTIONS,
    duration: seconds,
    method: load.method,
    headers: { ...PROXY_HEADERS, ...load.headers },
    requests: load.requests ?? [{}],
    verifyBody: (body) => body.includes(load.expect),
    sampleInt: 100,
  });
  run.on('response', (_client, _status, _bytes, ms) => times.push(ms));
  const result = await run;
  const [wallMs, cpu] = [performance.now() - startedAt, cpuMs(server.pid) - cpuBefore];
  const { errors, mismatches, statusCodeStats } = result;
  const answered = statusCodeStats[load.status]?.count ?? 0;
  if (errors + mismatches > 0 || answered === 0 || Object.keys(statusCodeStats).length > 1) {
    throw new Error(`${server.name} ${load.path}: ${JSON.stringify({ errors, mismatches, statusCodeStats })}`);
  }
  return {
    rate: answered / result.duration,
    cpuMsPerRequest: cpu / answered,
    coreShare: cpu / wallMs,
    p50Ms: percentile(times, 50),
    p99Ms: percentile(times, 99),
  };
}
