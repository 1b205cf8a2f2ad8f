#!/usr/bin/env node
// The command line, on any Node that can read this file.
import { runOnNode24 } from './node-24.js';

await runOnNode24('src/cli.ts');
