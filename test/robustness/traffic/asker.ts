/** One client's way to the deployment: it chooses a node, waits with patience, and everything it asks is in the ledger. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fetch, PortFetch } from '../../support/e2e-fetch.ts';
import type { Call, Claims, Ledger, NodeName, Outcome } from '../ledger.ts';
import type { Random } from '../random.ts';

/** As an HTTP client library would have it. */
const PATIENCE_MS = 15_000;
const RETRY_MS = 300;
/** Longer than any fault and its recovery. */
const RETRY_FOR_MS = 60_000;

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each endpoint has a shape of its own
  body: any;
}

/** How a call ended; `answer` is null when there was none. */
export interface Told {
  call: Call;
  answer: Answer | null;
}

export type Send = (fetch: Fetch) => Promise<Answer>;

export interface Asker {
  readonly random: Random;
  readonly ledger: Ledger;
  /** Any node, unless told. `read` adds to the claims what only the answer tells, before the judge can see it. */
  ask(
    operation: string,
    claims: Claims,
    send: Send,
    options?: { node?: NodeName; read?: (answer: Answer, call: Call) => void },
  ): Promise<Told>;
  /** Both nodes at the same moment. */
  askBoth(
    operation: string,
    claims: Claims,
    send: Send,
    read?: (answer: Answer, call: Call) => void,
  ): Promise<[Told, Told]>;
  /** Again, as an honest client does, until there is an answer that is not 503; the last one. */
  insist(operation: string, claims: Claims, send: Send, read?: (answer: Answer, call: Call) => void): Promise<Told>;
  /** A fetch whose every request is recorded, each to any node. */
  recorded(operation: string, claims?: Claims): Fetch;
  /** A pause whose length varies by half. */
  rest(ms: number): Promise<void>;
}

const NODES: readonly NodeName[] = ['a', 'b'];

export function createAsker({
  ledger,
  random,
  nodes,
  address,
}: {
  ledger: Ledger;
  random: Random;
  nodes: Readonly<Record<NodeName, PortFetch>>;
  /** Where the client seems to come from: nobody shares a limit with it. */
  address: string;
}): Asker {
  const fetchOf =
    (node: NodeName): Fetch =>
    (url, init = {}) =>
      nodes[node].fetch(url, {
        ...init,
        headers: { 'x-forwarded-for': address, ...Object.fromEntries(new Headers(init.headers)) },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });

  const asker: Asker = {
    random,
    ledger,
    async ask(operation, claims, send, { node = random.pick(NODES), read } = {}) {
      const call = ledger.begin(operation, node, claims);
      try {
        const answer = await send(fetchOf(node));
        if (answer.status < 500) read?.(answer, call);
        ledger.end(call, outcomeOf(answer));
        return { call, answer };
      } catch (error) {
        ledger.end(call, failureOf(error));
        return { call, answer: null };
      }
    },
    askBoth: (operation, claims, send, read) =>
      Promise.all([
        asker.ask(operation, { ...claims }, send, { node: 'a', ...(read ? { read } : {}) }),
        asker.ask(operation, { ...claims }, send, { node: 'b', ...(read ? { read } : {}) }),
      ]),
    async insist(operation, claims, send, read) {
      const until = ledger.nowMs() + RETRY_FOR_MS;
      for (;;) {
        const told = await asker.ask(operation, { ...claims }, send, read ? { read } : {});
        const again = !told.answer || told.answer.status === 503 || told.answer.status === 429;
        if (!again || ledger.nowMs() > until) return told;
        await asker.rest(RETRY_MS);
      }
    },
    recorded(operation, claims) {
      return async (url, init) => {
        const node = random.pick(NODES);
        const call = ledger.begin(operation, node, claims);
        try {
          const response = await fetchOf(node)(url, init);
          ledger.end(call, outcomeOf({ status: response.status, headers: response.headers, body: {} }));
          return response;
        } catch (error) {
          ledger.end(call, failureOf(error));
          throw error;
        }
      };
    },
    rest: (ms) => sleep(ms * (0.5 + random.next())),
  };
  return asker;
}

function outcomeOf({ status, headers, body }: Answer): Outcome {
  const error = body?.code ?? body?.error;
  return {
    kind: 'answer',
    status,
    retryAfter: headers.get('retry-after') !== null,
    ...(typeof error === 'string' ? { error } : {}),
  };
}

function failureOf(error: unknown): Outcome {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return { kind: 'refused' };
  if (name === 'TimeoutError' || name === 'AbortError') return { kind: 'silent' };
  return { kind: 'lost', why: code ?? message };
}

/** A request to the JSON API. */
export function json(
  issuer: string,
  path: string,
  {
    method = 'POST',
    body,
    bearer,
    client,
    idempotencyKey,
    address,
  }: {
    method?: string;
    body?: object;
    bearer?: string;
    client?: { id: string; secret?: string };
    idempotencyKey?: string;
    /** Where it seems to come from, in place of the client's own. */
    address?: string;
  },
): Send {
  return async (fetch) => {
    const response = await fetch(issuer + path, {
      method,
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(client ? { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` } : {}),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...(address === undefined ? {} : { 'x-forwarded-for': address }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  };
}
