/**
 * What `gatehouse.config.ts` imports: `import { defineConfig, route } from 'gatehouse'`. See docs/dialects.md.
 */
import type { GatehouseConfig } from './endpoints/api/load-dialect.ts';

export type { Dialect, DialectRoute } from './endpoints/api/dialect.ts';
export { route } from './endpoints/api/dialect.ts';
export type { GatehouseConfig };

/** Returns what it is given; it is there for the types. */
export function defineConfig(config: GatehouseConfig): GatehouseConfig {
  return config;
}
