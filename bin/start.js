#!/usr/bin/env node
// Starts the server. `node src/main.ts` on Node 24 does the same without the compile cache.
import { runOnNode24 } from './node-24.js';

await runOnNode24('src/main.ts');
