import { AggregatorRegistry, type Registry } from 'prom-client';

/** In a worker: lets the primary process collect these. */
export const shareMetrics = (registry: Registry): void => AggregatorRegistry.setRegistries(registry);

const aggregator = new AggregatorRegistry();

/** The metrics of all workers together, collected by the primary process. */
export const clusterMetrics = async (): Promise<{ type: string; body: string }> => ({
  type: aggregator.contentType,
  body: await aggregator.clusterMetrics(),
});
