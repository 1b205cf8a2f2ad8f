import { between, type Fault } from './fault.ts';

const START_MS = 5_000;
const everywhere = (): boolean => true;

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'SIGKILL',
    of: 'process',
    concerns: everywhere,
    draw: between(100, 2_000),
    marks: ({ node }) => ({ downs: [node] }),
    healsInMs: START_MS,
    async inject(deployment, { node }) {
      await deployment.kill(node);
      return () => deployment.start(node);
    },
  },
  {
    name: 'SIGKILL of one worker',
    of: 'process',
    concerns: everywhere,
    draw: between(2_500, 3_500),
    marks: ({ node }) => ({ downs: [node] }),
    healsInMs: 1_000,
    async inject(deployment, { node }) {
      // The primary starts another by itself.
      deployment.killWorker(node);
      return async () => {};
    },
  },
  {
    name: 'SIGTERM',
    of: 'process',
    concerns: everywhere,
    draw: between(100, 1_500),
    marks: ({ node }) => ({ downs: [node] }),
    healsInMs: START_MS,
    async inject(deployment, { node }) {
      await deployment.stop(node);
      return () => deployment.start(node);
    },
  },
  {
    name: 'SIGSTOP',
    of: 'process',
    concerns: everywhere,
    draw: between(500, 8_000),
    marks: ({ node }) => ({ freezes: [node] }),
    healsInMs: 500,
    async inject(deployment, { node }) {
      deployment.pause(node);
      return async () => deployment.resume(node);
    },
  },
];
