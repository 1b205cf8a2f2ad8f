/** Asks a store that may be away, hang or be slow, and never waits for it longer than the budget. */
export interface StoreBreaker {
  /** The answer, or null when there is none in time: then the caller decides by itself. Never rejects. */
  ask<T>(call: () => Promise<T>): Promise<{ answer: T } | null>;
}

/** How long a store that failed is left alone. */
const REST_MS = 1000;

/**
 * After a failure the store is not asked for a second, then by one call at a time, until one of these gets its answer. So an
 * outage costs one request a second its budget and the others nothing, and whatever comes back is not run over.
 */
export function createStoreBreaker({
  budgetMs,
  monotonicMs,
  onChange,
}: {
  budgetMs: number;
  /** A clock that only goes forward: a jump of the wall clock must not keep the store shut out. */
  monotonicMs: () => number;
  /** The store failed (`open`), for this reason, or answers again. Not called for each request. */
  onChange: (open: boolean, cause?: unknown) => void;
}): StoreBreaker {
  /** Null while all is well. */
  let restsUntilMs: number | null = null;
  let probing = false;

  async function attempt<T>(call: () => Promise<T>, isProbe: boolean): Promise<{ answer: T } | null> {
    try {
      const answer = await withinBudget(call, budgetMs);
      if (isProbe) {
        restsUntilMs = null;
        onChange(false);
      }
      return { answer };
    } catch (cause) {
      // The calls that were under way when the first one failed have nothing to add.
      if (isProbe || restsUntilMs === null) {
        const wasOpen = restsUntilMs !== null;
        restsUntilMs = monotonicMs() + REST_MS;
        if (!wasOpen) onChange(true, cause);
      }
      return null;
    } finally {
      if (isProbe) probing = false;
    }
  }

  return {
    async ask(call) {
      if (restsUntilMs === null) return attempt(call, false);
      if (probing || monotonicMs() < restsUntilMs) return null;
      probing = true;
      return attempt(call, true);
    },
  };
}

/** A wait is counted in so many parts; each part is a chance to hear the answer. */
const PARTS = 5;

/**
 * The answer to an abandoned call is ignored, and so is its failure. A busy process comes by late: it can neither send what it
 * asks nor hear the answer while it does something else, and a burst of requests is no outage of the store. Therefore the
 * budget is spent in parts, of which no single delay of this process can use up more than one.
 */
function withinBudget<T>(call: () => Promise<T>, budgetMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const asked = call();
    let left = PARTS;
    const wait = (): NodeJS.Timeout => setTimeout(partIsOver, budgetMs / PARTS).unref();
    let timer = wait();
    function partIsOver(): void {
      left -= 1;
      if (left > 0) timer = wait();
      // Timers run before the network is read: the answer may be here already.
      else setImmediate(() => reject(new Error(`no answer within ${budgetMs} ms`)));
    }
    asked.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
