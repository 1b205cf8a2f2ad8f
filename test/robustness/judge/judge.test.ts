import { expect } from 'chai';
import type { Call, Disturbance, Given, History, Outcome, ProcessEnd, Use } from '../ledger.ts';
import { judge } from './judge.ts';

const OK: Outcome = { kind: 'answer', status: 200, retryAfter: false };
const answer = (status: number, retryAfter = false): Outcome => ({ kind: 'answer', status, retryAfter });
const LOST: Outcome = { kind: 'lost', why: 'ECONNRESET' };
const UNAVAILABLE = answer(503, true);

let calls: Call[] = [];
let disturbances: Disturbance[] = [];
let ends: ProcessEnd[] = [];

/** A request from `second` on that takes a tenth of one. */
function asked(second: number, outcome: Outcome, claims: Partial<Call> = {}): void {
  const startedMs = second * 1000;
  const base = { id: calls.length, operation: 'redeem', node: 'a', startedMs, endedMs: startedMs + 100 } as const;
  calls.push({ ...base, outcome, ...claims });
}

function disturbed(fromSecond: number, toSecond: number, marks: Partial<Disturbance> = {}): void {
  disturbances.push({
    name: 'a fault',
    startedMs: fromSecond * 1000,
    healedMs: toSecond * 1000,
    recoveredMs: toSecond * 1000,
    downs: [],
    freezes: [],
    losesMemory: false,
    movesClock: false,
    hindersStop: false,
    ...marks,
  });
}

const rules = (more: Partial<History> = {}): string[] =>
  judge({ calls, disturbances, ends, troubles: [], ...more }).map(({ rule }) => rule);

const code = (givenSecond = 0): { uses: Use } => ({
  uses: { thing: 'code 1', rule: 'once', givenMs: givenSecond * 1000, goodForMs: 600_000, retryForMs: 0 },
});
const refreshToken: { uses: Use } = { uses: { thing: 'use of token 1', rule: 'same', retryForMs: 120_000 } };
const creation: { uses: Use } = { uses: { thing: 'creation 1', rule: 'same', retryForMs: Number.POSITIVE_INFINITY } };
const token: Given = { name: 'token 1', inMemory: false, lifetimeMs: 900_000 };

describe('the judge of the robustness suite', () => {
  beforeEach(() => {
    calls = [];
    disturbances = [];
    ends = [];
  });

  describe('of answers', () => {
    it('takes successes at any time, and 503 with Retry-After while something is wrong', () => {
      disturbed(1, 3);
      asked(0, OK);
      asked(2, UNAVAILABLE, { operation: 'verify' });
      expect(rules()).to.deep.equal([]);
    });

    for (const [what, outcome] of [
      ['a 500', answer(500)],
      ['a 502', answer(502)],
      ['a 503 without Retry-After', answer(503)],
      ['a 429 without Retry-After', answer(429)],
      ['a refusal of an honest request', answer(401)],
    ] as const) {
      it(`finds ${what}, whatever is wrong`, () => {
        disturbed(0, 10, { downs: ['a', 'b'], freezes: ['a', 'b'], losesMemory: true });
        asked(5, outcome, { operation: 'verify' });
        expect(rules()).to.have.length(1);
      });
    }

    it('finds a 503 when nothing is wrong', () => {
      disturbed(1, 3);
      asked(6, UNAVAILABLE, { operation: 'verify' });
      expect(rules()).to.deep.equal(['only expected answers: 503, although nothing was wrong']);
    });

    it('takes 429 of a counter that a wrong clock wrote, for as long as clocks may differ', () => {
      disturbed(1, 3, { movesClock: true });
      asked(15, answer(429, true), { operation: 'rotation' });
      expect(rules()).to.deep.equal([]);
      asked(30, answer(429, true), { operation: 'rotation' });
      expect(rules()).to.deep.equal(['only expected answers: 429 for a rate that is allowed']);
    });

    it('finds a lost connection to a process that nobody ended, and takes one to another that was', () => {
      disturbed(1, 3, { downs: ['b'] });
      asked(2, LOST, { operation: 'verify', node: 'b' });
      expect(rules()).to.deep.equal([]);
      asked(2, LOST, { operation: 'verify', node: 'a' });
      expect(rules()).to.have.length(1);
    });

    it('finds silence of a process that was not frozen', () => {
      disturbed(1, 3, { freezes: ['b'] });
      asked(2, { kind: 'silent' }, { operation: 'verify', node: 'b' });
      expect(rules()).to.deep.equal([]);
      asked(2, { kind: 'silent' }, { operation: 'verify', node: 'a' });
      expect(rules()).to.have.length(1);
    });
  });

  describe('of what is used once', () => {
    it('finds a code that was redeemed twice, at the same moment or later', () => {
      asked(1, OK, code());
      asked(1, OK, { ...code(), node: 'b' });
      expect(rules()).to.deep.equal(['nothing is used twice']);
    });

    it('takes one success and refusals', () => {
      asked(1, OK, code());
      asked(1, answer(400), { ...code(), node: 'b' });
      expect(rules()).to.deep.equal([]);
    });

    it('takes a refusal after a request without an answer, and finds one of a code that nobody used', () => {
      disturbed(0, 2, { downs: ['a'] });
      asked(1, LOST, code());
      asked(3, answer(400), code());
      expect(rules()).to.deep.equal([]);
      calls.shift();
      expect(rules()).to.deep.equal(['what was given can be used']);
    });

    it('takes the refusal of a code that is too old, and of one under a clock that moved', () => {
      asked(700, answer(400), code());
      expect(rules()).to.deep.equal([]);
      calls = [];
      disturbed(1, 2, { movesClock: true });
      asked(3, answer(400), code());
      expect(rules()).to.deep.equal([]);
    });

    it('finds two answers to one refresh token', () => {
      asked(1, OK, { ...refreshToken, result: 'token 2' });
      asked(2, OK, { ...refreshToken, result: 'token 3' });
      expect(rules()).to.deep.equal(['a retry gets the answer of the first try']);
    });

    it('finds a retry refused within the grace period, and takes one after it', () => {
      asked(1, OK, { ...refreshToken, result: 'token 2' });
      asked(2, answer(400), refreshToken);
      expect(rules()).to.deep.equal(['a retry within its time is answered']);
      calls.pop();
      asked(125, answer(400), refreshToken);
      expect(rules()).to.deep.equal([]);
    });

    it('finds two keys under one Idempotency-Key, by their answers and in the list', () => {
      asked(1, OK, { ...creation, result: 'key 1' });
      asked(2, OK, { ...creation, result: 'key 2' });
      expect(rules()).to.have.length(1);
      calls = [];
      asked(3, OK, { counts: { thing: 'key 1', count: 2, known: false } });
      expect(rules()).to.deep.equal(['one creation for each Idempotency-Key']);
    });

    it('finds what never got an answer, however often it was asked', () => {
      disturbed(0, 9);
      asked(1, UNAVAILABLE, creation);
      asked(8, UNAVAILABLE, creation);
      expect(rules()).to.deep.equal(['what got no answer can be asked again']);
    });
  });

  describe('of credentials', () => {
    const dead = { operation: 'probe', probes: token.name, alive: false };
    const alive = { operation: 'probe', probes: token.name, alive: true };
    const revocation = { operation: 'revoke', ends: [token.name] };

    it('finds a lost success', () => {
      asked(1, OK, { gives: [token] });
      asked(2, OK, alive);
      asked(3, answer(401), dead);
      expect(rules()).to.deep.equal(['an acknowledged success holds']);
    });

    it('takes a dead one that expired, that lived in a memory that was lost, or that somebody may have revoked', () => {
      asked(1, OK, { gives: [token] });
      asked(900, OK, dead);
      expect(rules()).to.deep.equal([]);

      calls = [];
      disturbed(2, 3, { losesMemory: true });
      asked(1, OK, { gives: [{ ...token, inMemory: true }] });
      asked(5, OK, dead);
      expect(rules()).to.deep.equal([]);
      calls = [];
      asked(1, OK, { gives: [token] });
      asked(5, OK, dead);
      expect(rules()).to.deep.equal(['an acknowledged success holds']);

      calls = [];
      asked(1, OK, { gives: [token] });
      asked(2, UNAVAILABLE, revocation);
      asked(5, OK, dead);
      expect(rules()).to.deep.equal([]);
    });

    it('finds a revoked one that works after the seconds in which it may', () => {
      asked(1, OK, { gives: [token] });
      asked(2, OK, revocation);
      asked(4, OK, alive);
      expect(rules()).to.deep.equal([]);
      asked(9, OK, alive);
      expect(rules()).to.deep.equal(['what is revoked is dead, and stays so']);
    });

    it('finds one that comes back after it was seen dead, although nobody heard of its end', () => {
      disturbed(1, 3, { losesMemory: true });
      asked(2, UNAVAILABLE, revocation);
      asked(5, OK, dead);
      asked(12, OK, alive);
      expect(rules()).to.deep.equal(['what is revoked is dead, and stays so']);
    });

    it('takes the second use of a code as the end of its tokens', () => {
      asked(1, OK, { ...code(), gives: [token] });
      asked(2, answer(400), { ...code(), ends: [token.name], endsByRefusal: true });
      asked(3, OK, dead);
      expect(rules()).to.deep.equal([]);
      calls.pop();
      asked(9, OK, alive);
      expect(rules()).to.deep.equal(['what is revoked is dead, and stays so']);
    });
  });

  describe('of what is replaced', () => {
    const write = (value: string) => ({ operation: 'replace', writes: { register: 'r', value } });
    const read = (value: string) => ({ operation: 'resolve', reads: { register: 'r', value } });

    it('finds an acknowledged value that is gone', () => {
      asked(1, OK, write('old'));
      asked(2, OK, write('new'));
      asked(3, OK, read('new'));
      expect(rules()).to.deep.equal([]);
      asked(4, OK, read('old'));
      expect(rules()).to.deep.equal(['an acknowledged change holds']);
    });

    it('finds a value that nobody wrote', () => {
      asked(1, OK, read('foreign'));
      expect(rules()).to.deep.equal(['an acknowledged change holds']);
    });

    it('takes a value that got no answer, even after a later one: it may take effect at any time', () => {
      disturbed(0, 3, { freezes: ['a'] });
      asked(1, { kind: 'silent' }, write('frozen'));
      asked(2, OK, write('new'));
      asked(3, OK, read('new'));
      asked(4, OK, read('frozen'));
      expect(rules()).to.deep.equal([]);
    });
  });

  describe('of processes', () => {
    const end = (given: Partial<ProcessEnd>): void => {
      ends = [{ node: 'a', atMs: 5_000, asked: 'stop', code: 0, signal: null, tookMs: 500, ...given }];
    };

    it('takes an orderly stop and a kill', () => {
      end({});
      expect(rules()).to.deep.equal([]);
      end({ asked: 'kill', code: null, signal: 'SIGKILL' });
      expect(rules()).to.deep.equal([]);
    });

    it('finds one that died by itself, one that stopped with an error, one that took too long', () => {
      end({ asked: null, code: 1 });
      expect(rules()).to.deep.equal(['no process dies by itself']);
      end({ code: 1 });
      expect(rules()).to.deep.equal(['SIGTERM ends in order']);
      end({ tookMs: 25_000 });
      expect(rules()).to.deep.equal(['SIGTERM ends in time']);
    });

    it('takes a stop that cannot write what it must, with 1 and nothing else', () => {
      disturbed(3, 6, { hindersStop: true });
      end({ code: 1 });
      expect(rules()).to.deep.equal([]);
      end({ code: 7 });
      expect(rules()).to.deep.equal(['SIGTERM ends in order']);
    });

    it('finds what the run itself saw: no recovery, a dead worker, a fatal line', () => {
      expect(rules({ troubles: ['no recovery within 30 s'] })).to.have.length(1);
    });
  });
});
