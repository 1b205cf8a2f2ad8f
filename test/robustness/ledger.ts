/**
 * What each client asked, when, and what it was told. The judge reads nothing else. Things and credentials stand here by names
 * (`refresh token 12`), never by their values.
 */
export type NodeName = 'a' | 'b';

export type Outcome =
  | { kind: 'answer'; status: number; retryAfter: boolean; error?: string }
  /** Nobody listened: the request never reached the server. */
  | { kind: 'refused' }
  /** The connection ended without an answer. */
  | { kind: 'lost'; why: string }
  /** No answer within the client's patience. */
  | { kind: 'silent' };

/** The request spends, or is named by, something that must not count twice. */
export interface Use {
  thing: string;
  /** `once`: one success. `same`: any number of successes, all with one result. */
  rule: 'once' | 'same';
  /** How long after it was given the thing is good, in milliseconds. */
  goodForMs?: number;
  /** When it was given, in milliseconds since the run began. */
  givenMs?: number;
  /** For `same`: how long after the first use a retry is answered. For `once`: 0, a retry may be refused. */
  retryForMs: number;
}

/** A credential that a success gave. */
export interface Given {
  name: string;
  /** Kept in Redis, where there is one: gone when Redis loses its memory. */
  inMemory: boolean;
  lifetimeMs: number;
}

/** What a request claims about things. Only the answer makes some of it true: see each member. */
export interface Claims {
  uses?: Use;
  /** A success gave this; equal texts are equal results. */
  result?: string;
  /** A success made these. */
  gives?: Given[];
  /** A success ended these; without an answer it may have. */
  ends?: string[];
  /** A refusal (4xx) ended them as well: the use of something used. */
  endsByRefusal?: boolean;
  /** The credential asked about. */
  probes?: string;
  /** What the answer said of it; undefined when it said nothing. */
  alive?: boolean;
  /** A success set a register; without an answer it may have, at any later time. */
  writes?: { register: string; value: string };
  reads?: { register: string; value: string };
  /** How often a list shows a thing; `known`: a success made it and nothing ended it. */
  counts?: { thing: string; count: number; known: boolean };
  /** A refusal (4xx) is as good an answer as a success: nothing follows from it. */
  mayRefuse?: boolean;
}

export interface Call extends Claims {
  id: number;
  operation: string;
  node: NodeName;
  /** Milliseconds since the run began, by a clock that only goes forward. */
  startedMs: number;
  endedMs: number;
  outcome: Outcome;
}

/** A fault as it was, from its first sign to the moment in which everything worked again. */
export interface Disturbance {
  name: string;
  startedMs: number;
  /** When the cause was gone. */
  healedMs: number;
  /** When both nodes were ready and a write succeeded on each. */
  recoveredMs: number;
  /** Nodes whose connections may end without an answer. */
  downs: readonly NodeName[];
  /** Nodes that may keep silent. */
  freezes: readonly NodeName[];
  losesMemory: boolean;
  movesClock: boolean;
  /** Something beside the processes was broken: a stop in its time may fail to write what it must. */
  hindersStop: boolean;
}

export interface ProcessEnd {
  node: NodeName;
  atMs: number;
  /** Null: nobody asked it to end. */
  asked: 'kill' | 'stop' | null;
  code: number | null;
  signal: string | null;
  /** From the request to the end. */
  tookMs: number;
}

export interface History {
  calls: readonly Call[];
  disturbances: readonly Disturbance[];
  ends: readonly ProcessEnd[];
  /** What else was seen to go wrong: no recovery, a start that failed, a line of level fatal. */
  troubles: readonly string[];
}

/** The beginning of a request, or the end of one with success. */
export type Moment = 'asked' | 'acknowledged';

export interface Ledger {
  nowMs(): number;
  /** Resolves in the very moment of the next such call, or with null after `ms`. */
  next(moment: Moment, isWanted: (call: Call) => boolean, ms: number): Promise<Call | null>;
  /** For a request under way. One that never ends is no part of the history. */
  begin(operation: string, node: NodeName, claims?: Claims): Call;
  end(call: Call, outcome: Outcome): void;
  disturbed(disturbance: Disturbance): void;
  ended(end: ProcessEnd): void;
  trouble(text: string): void;
  /** A name that was not given before. */
  name(kind: string): string;
  history(): History;
}

const UNDER_WAY: Outcome = { kind: 'silent' };

export function createLedger(): Ledger {
  const started = performance.now();
  const calls: Call[] = [];
  const disturbances: Disturbance[] = [];
  const ends: ProcessEnd[] = [];
  const troubles: string[] = [];
  const counters = new Map<string, number>();
  const nowMs = (): number => performance.now() - started;
  const listeners = new Set<(moment: Moment, call: Call) => void>();
  const tell = (moment: Moment, call: Call): void => {
    for (const listener of listeners) listener(moment, call);
  };
  return {
    nowMs,
    next: (moment, isWanted, ms) =>
      new Promise((resolve) => {
        const finish = (call: Call | null): void => {
          listeners.delete(listener);
          clearTimeout(timer);
          resolve(call);
        };
        const listener = (happened: Moment, call: Call): void => {
          if (happened === moment && isWanted(call)) finish(call);
        };
        const timer = setTimeout(() => finish(null), ms);
        listeners.add(listener);
      }),
    begin(operation, node, claims = {}) {
      const startedMs = nowMs();
      const endedMs = Number.POSITIVE_INFINITY;
      const call: Call = { id: calls.length, operation, node, startedMs, endedMs, outcome: UNDER_WAY, ...claims };
      calls.push(call);
      tell('asked', call);
      return call;
    },
    end(call, outcome) {
      call.endedMs = nowMs();
      call.outcome = outcome;
      if (succeeded(call)) tell('acknowledged', call);
    },
    disturbed: (disturbance) => void disturbances.push(disturbance),
    ended: (end) => void ends.push(end),
    trouble: (text) => void troubles.push(text),
    name(kind) {
      const number = (counters.get(kind) ?? 0) + 1;
      counters.set(kind, number);
      return `${kind} ${number}`;
    },
    history: () => ({
      calls: calls.filter(({ endedMs }) => endedMs < Number.POSITIVE_INFINITY),
      disturbances,
      ends,
      troubles,
    }),
  };
}

export const succeeded = ({ outcome }: Call): boolean =>
  outcome.kind === 'answer' && outcome.status >= 200 && outcome.status < 400;

/** The server decided against it: nothing was done, or what a refusal does. */
export const wasRefused = ({ outcome }: Call): boolean =>
  outcome.kind === 'answer' && outcome.status >= 400 && outcome.status < 500 && outcome.status !== 429;

/** Whether the request may have taken effect although nobody was told so. */
export const isUnanswered = ({ outcome }: Call): boolean =>
  outcome.kind === 'lost' || outcome.kind === 'silent' || (outcome.kind === 'answer' && outcome.status >= 500);
