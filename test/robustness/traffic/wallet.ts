/** The credentials that clients hold or held: good ones and ended ones, to be asked about at any time. */
import type { Given } from '../ledger.ts';
import type { Asker, Send } from './asker.ts';

export interface Holding extends Given {
  /** Asks the server whether it is good. */
  question: Send;
  /** How the answer says so; undefined when it says nothing. */
  isAlive: (answer: { status: number; body: { active?: boolean } }) => boolean | undefined;
}

export interface Wallet {
  add(...holdings: readonly Holding[]): void;
  /** What is used up on purpose is not asked about. */
  drop(name: string): void;
  size(): number;
  /** Of the newest ones. */
  any(asker: Asker): Holding | undefined;
  newest(count: number): Holding[];
}

const MOST = 600;

export function createWallet(): Wallet {
  const holdings = new Map<string, Holding>();
  return {
    add(...added) {
      for (const holding of added) {
        if (!holdings.has(holding.name)) holdings.set(holding.name, holding);
        const [oldest] = holdings.keys();
        if (holdings.size > MOST && oldest !== undefined) holdings.delete(oldest);
      }
    },
    drop: (name) => void holdings.delete(name),
    size: () => holdings.size,
    any: ({ random }) => (holdings.size === 0 ? undefined : random.pick([...holdings.values()])),
    newest: (count) => [...holdings.values()].slice(-count),
  };
}

export async function probe(asker: Asker, { name, question, isAlive }: Holding): Promise<void> {
  await asker.ask('probe', { probes: name }, question, {
    read(answer, call) {
      const alive = isAlive(answer);
      if (alive !== undefined) call.alive = alive;
    },
  });
}

/** RFC 7662. */
export const byIntrospection: Holding['isAlive'] = ({ status, body }) => (status === 200 ? body.active : undefined);

/** POST /v1/auth/verify. */
export const byVerify: Holding['isAlive'] = ({ status }) =>
  status === 200 ? true : status === 401 ? false : undefined;
