import type { Context } from 'koa';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { droppedLogLines } from '../../kit/log.ts';

export interface Metrics {
  observe(sample: { method: string; route: string; status: number; seconds: number }): void;
  /** Text in the Prometheus exposition format. */
  render(): Promise<{ type: string; body: string }>;
  /** A change of a credential took so long to get here. */
  observeRevocationLag(seconds: number): void;
  registry: Registry;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']);

export function createMetrics({
  counters,
  passwords,
  unreadable,
}: {
  counters: { sqlStatements(): number; redisRoundTrips(): number };
  unreadable: () => Readonly<Record<string, number>>;
  passwords: () => { running: number; waiting: number };
}): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: 'gatehouse_http_request_duration_seconds',
    help: 'Requests by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const revocationLag = new Histogram({
    name: 'gatehouse_revocation_lag_seconds',
    help: 'From the end of a credential, or any other change of it, to the moment this process knew',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
    registers,
  });
  new Gauge({
    name: 'gatehouse_password_hashes',
    help: 'Password hashes running and waiting',
    labelNames: ['state'],
    registers,
    collect() {
      const { running, waiting } = passwords();
      this.set({ state: 'running' }, running);
      this.set({ state: 'waiting' }, waiting);
    },
  });
  counter('gatehouse_sql_statements_total', 'SQL statements sent', counters.sqlStatements);
  counter('gatehouse_redis_round_trips_total', 'Redis round trips', counters.redisRoundTrips);
  counter('gatehouse_log_lines_dropped_total', 'Lines of the log that could not be written', droppedLogLines);

  new Counter({
    name: 'gatehouse_unreadable_total',
    help: 'Messages, records and rows that another version or program made, and that were passed over',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(unreadable())) this.inc({ kind }, count);
    },
  });

  function counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  return {
    registry,
    observeRevocationLag: (seconds) => revocationLag.observe(Math.max(0, seconds)),
    observe({ method, route, status, seconds }) {
      // Label values come from us, never from the request: a stranger could fill the memory with made-up methods.
      requests.observe({ method: METHODS.has(method) ? method : 'other', route, status }, seconds);
    },
    render: async () => ({ type: registry.contentType, body: await registry.metrics() }),
  };
}

export const metricsHandler =
  (metrics: Metrics) =>
  async (ctx: Context): Promise<void> => {
    const { type, body } = await metrics.render();
    ctx.set('Content-Type', type);
    ctx.set('Cache-Control', 'no-store');
    ctx.body = body;
  };
