// Fills the compile cache after an install, so that the first start is as quick and small as every later one. Does nothing
// where the packaged Node is missing; a start without the cache works too.
import { isNewEnough, useCompileCache } from './node-24.js';

if (isNewEnough()) {
  useCompileCache();
  await import('../src/server/web.ts').catch(() => {});
  await import('../src/server/cluster.ts').catch(() => {});
  await import('../src/storage/redis/open-redis.ts').catch(() => {});
}
