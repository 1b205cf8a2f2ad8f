// Fills the compile cache after an install, so that the first start is as quick and small as every later one. Does nothing
// where the packaged Node is missing; a start without the cache works too.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

if (Number.parseInt(process.versions.node, 10) >= 24) {
  enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/gatehouse', import.meta.url)));
  await import('../src/server/web.ts').catch(() => {});
  await import('../src/server/cluster.ts').catch(() => {});
  await import('../src/storage/redis/open-redis.ts').catch(() => {});
}
