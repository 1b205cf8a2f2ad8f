import { AggregatorRegistry } from 'prom-client';

const aggregator = new AggregatorRegistry();

/** The metrics of all workers together, collected by the primary process. */
export const clusterMetrics = async (): Promise<{ type: string; body: string }> => ({
  type: aggregator.contentType,
  body: await aggregator.clusterMetrics(),
});
