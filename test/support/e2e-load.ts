/** Steady load from several callers at once, with every outcome on record. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Load {
  /** How often each outcome came: a status, `503 without Retry-After`, or the code of a network error. */
  outcomes(): Record<string, number>;
  /** Milliseconds the slowest answer took. */
  slowest(): number;
  /** Starts the record anew. */
  forget(): void;
  stop(): Promise<void>;
}

/**
 * @param options.ask one request of caller `caller`; its status is recorded
 * @param options.untilRefused a caller ends when nobody listens any more
 */
export function startLoad({
  callers,
  ask,
  pauseMs = 5,
  untilRefused = false,
}: {
  callers: number;
  ask: (caller: number) => Promise<{ status: number; headers: Headers }>;
  pauseMs?: number;
  untilRefused?: boolean;
}): Load {
  let outcomes: Record<string, number> = {};
  let slowest = 0;
  let stopping = false;

  async function call(caller: number): Promise<string> {
    const started = performance.now();
    try {
      const { status, headers } = await ask(caller);
      return status === 503 && !headers.get('retry-after') ? '503 without Retry-After' : String(status);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    } finally {
      slowest = Math.max(slowest, performance.now() - started);
    }
  }

  const running = Array.from({ length: callers }, async (_, caller) => {
    while (!stopping) {
      const outcome = await call(caller);
      if (outcome === 'ECONNREFUSED' && untilRefused) return;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await sleep(pauseMs);
    }
  });

  return {
    outcomes: () => ({ ...outcomes }),
    slowest: () => Math.round(slowest),
    forget() {
      outcomes = {};
      slowest = 0;
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

/** Waits until `reached` says so; the time it took in milliseconds. Throws after `seconds`. */
export async function until(what: string, seconds: number, reached: () => Promise<boolean> | boolean): Promise<number> {
  const started = performance.now();
  while (!(await reached())) {
    if (performance.now() - started > seconds * 1000) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(50);
  }
  return Math.round(performance.now() - started);
}
