/**
 * Runs jobs of many groups, few at once. The groups that wait are served in turn, each with the oldest of its jobs, so that one
 * that sends many makes itself wait and nobody else.
 */
export interface FairQueue {
  /** Throws what `refused` makes, at once or while it waits, when there is no room. Jobs of no group share a turn, and no bound but the limit. */
  run<T>(group: string | null, job: () => Promise<T>): Promise<T>;
  load(): { running: number; waiting: number };
}

interface Waiting {
  start: () => void;
  refuse: () => void;
}

export function createFairQueue({
  concurrency,
  limit,
  share,
  refused,
}: {
  concurrency: number;
  /** Jobs that may wait. */
  limit: number;
  /** Of them, of one group. */
  share: number;
  refused: () => Error;
}): FairQueue {
  /** The group whose turn is next stands first; a group that is here has somebody waiting. */
  const groups = new Map<string | null, Waiting[]>();
  let running = 0;
  let waiting = 0;

  /** Of a full queue the group with most places has one too many, unless the newcomer would have as many. */
  function makeRoom(own: number): boolean {
    if (waiting < limit) return true;
    const largest = [...groups.values()].reduce((most, one) => (one.length > most.length ? one : most), []);
    if (largest.length <= own + 1) return false;
    waiting -= 1;
    largest.pop()?.refuse();
    return true;
  }

  function wait(group: string | null): Promise<void> {
    const queue = groups.get(group) ?? [];
    if ((group !== null && queue.length >= share) || !makeRoom(queue.length)) throw refused();
    return new Promise((resolve, reject) => {
      queue.push({ start: resolve, refuse: () => reject(refused()) });
      groups.set(group, queue);
      waiting += 1;
    });
  }

  /** Who finishes hands its place over, so nobody slips in between. */
  function next(): void {
    const [turn] = groups;
    if (!turn) {
      running -= 1;
      return;
    }
    const [group, queue] = turn;
    const first = queue.shift();
    groups.delete(group);
    if (queue.length > 0) groups.set(group, queue);
    waiting -= 1;
    first?.start();
  }

  return {
    async run(group, job) {
      if (running >= concurrency) await wait(group);
      else running += 1;
      try {
        return await job();
      } finally {
        next();
      }
    },
    load: () => ({ running, waiting }),
  };
}
