import type { Client } from '../../domain/clients/client.ts';
import { type Budget, createBudget } from '../../kit/budget.ts';
import { createBoundedMap } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';

/** Of one client, in this process: anybody can send wrong secrets, and each look is a statement or two. */
const LOOKS_PER_SECOND = 3;
const MAX_CLIENTS = 10_000;

/**
 * The client as it is now, if it is another than the one that was compared with: what is remembered may be older than its new
 * secret, keys or certificates, where no message says so. Null when it is the same, is gone, or was looked at often just now.
 */
export type RenewedClient = (compared: Client) => Promise<Client | null>;

export function createRenewedClient({
  findClient,
  renewClient,
  clock,
}: {
  findClient: (id: string) => Promise<Client | null>;
  /** From the store in any case. */
  renewClient: (id: string) => Promise<Client | null>;
  clock: Clock;
}): RenewedClient {
  const budgets = createBoundedMap<Budget>({ max: MAX_CLIENTS });
  const looks = new Map<string, Promise<Client | null>>();

  function look(id: string): Promise<Client | null> | null {
    const budget = budgets.get(id) ?? createBudget({ perSecond: LOOKS_PER_SECOND, clock });
    budgets.set(id, budget);
    if (!budget.take()) return null;
    const looking = renewClient(id).finally(() => looks.delete(id));
    looks.set(id, looking);
    return looking;
  }

  return async (compared) => {
    const differs = (client: Client | null): client is Client =>
      client !== null && client.updatedAt !== compared.updatedAt;
    const known = await findClient(compared.id);
    if (differs(known)) return known;
    // One that is under way may have begun before the change, so it is not the last word.
    const underWay = looks.get(compared.id);
    const first = underWay ? await underWay : null;
    if (differs(first)) return first;
    const own = await (looks.get(compared.id) ?? look(compared.id));
    return differs(own) ? own : null;
  };
}
