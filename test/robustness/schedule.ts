/** What breaks when: drawn from the seed before anything starts, so that the same seed gives the same again. */
import type { Draw, Fault, Place } from './faults/fault.ts';
import type { Moment, NodeName } from './ledger.ts';
import { createRandom, type Random } from './random.ts';

export interface Planned {
  fault: Fault;
  draw: Draw;
}

/** A moment that is worse than others: a request has just begun, or its success has just been told. */
export interface Trigger {
  moment: Moment;
  operation: Operation;
  /** From that moment to the fault, in milliseconds. */
  afterMs: number;
}

/** What changes something, and so can be lost or done twice. */
export const OPERATIONS = [
  'redeem',
  'refresh',
  'revoke',
  'creation',
  'rotation',
  'revoke API key',
  'replace provider key',
  'refresh login',
  'log out',
  'sign up',
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface Round {
  /** Of undisturbed load before it, in milliseconds. */
  leadMs: number;
  /** Null: at once. */
  trigger: Trigger | null;
  /** One, or two at a time. */
  faults: readonly Planned[];
}

export interface Schedule {
  rounds: readonly Round[];
  /** What the place cannot try, with the reason. */
  leftOut: readonly string[];
}

const NODES: readonly NodeName[] = ['a', 'b'];
const LEAD_MS = { least: 800, most: 2_500 };
/** From the end of a cause to the end of its effects, about. */
const RECOVERY_MS = 2_000;
const TWO_AT_A_TIME = 0.25;
const AT_ONCE = 0.3;
/** From the beginning of a request: as long as most take. */
const WITHIN_MS = 25;
/** How long the run waits for the moment. */
export const TRIGGER_MS = 4_000;

export function drawSchedule({
  seed,
  place,
  seconds,
  faults,
}: {
  seed: number;
  place: Place;
  seconds: number;
  faults: readonly Fault[];
}): Schedule {
  const random = createRandom(`${seed} ${place.database}`);
  const concerned = faults.filter((fault) => fault.concerns(place));
  const leftOut = concerned.flatMap((fault) => {
    const reason = fault.missing?.(place);
    return reason ? [`${fault.name}: ${reason}`] : [];
  });
  const possible = concerned.filter((fault) => !fault.missing?.(place));
  const processFaults = possible.filter((fault) => fault.of === 'process');

  const plan = (fault: Fault): Planned => ({ fault, draw: { node: random.pick(NODES), ...fault.draw(random) } });
  const rounds: Round[] = [];
  let bag: Fault[] = [];
  for (let left = seconds * 1000; ; ) {
    // Every fault once before any comes again.
    if (bag.length === 0) bag = random.shuffled(possible);
    const fault = bag.pop();
    if (!fault) break;
    const planned = [plan(fault)];
    if (fault.of === 'surroundings' && random.chance(TWO_AT_A_TIME)) planned.push(plan(random.pick(processFaults)));
    const leadMs = random.integer(LEAD_MS.least, LEAD_MS.most);
    const round = { leadMs, trigger: drawTrigger(random), faults: planned };
    left -= durationOf(round);
    // The first one always: a run without a fault shows nothing.
    if (left < 0 && rounds.length > 0) break;
    rounds.push(round);
  }
  return { rounds, leftOut };
}

function drawTrigger(random: Random): Trigger | null {
  const operation = random.pick(OPERATIONS);
  const moment = random.pick<Moment>(['asked', 'acknowledged']);
  const afterMs = moment === 'asked' ? random.integer(0, WITHIN_MS) : 0;
  return random.chance(AT_ONCE) ? null : { moment, operation, afterMs };
}

/** In milliseconds, about. */
export function durationOf({ leadMs, trigger, faults }: Round): number {
  const hold = Math.max(...faults.map(({ draw }) => draw.holdMs));
  const heal = faults.reduce((sum, { fault }) => sum + fault.healsInMs, 0);
  return leadMs + (trigger ? TRIGGER_MS / 4 : 0) + hold + heal + RECOVERY_MS;
}

export function describeRound({ leadMs, trigger, faults }: Round): string {
  const texts = faults.map(({ fault, draw }) => {
    const amount = draw.amount === 0 ? '' : ` by ${draw.amount}`;
    return `${fault.name}${fault.of === 'process' ? ` of ${draw.node}` : ''}${amount} for ${draw.holdMs} ms`;
  });
  const when = trigger
    ? `, when a ${trigger.operation} is ${trigger.moment}${trigger.afterMs ? ` + ${trigger.afterMs} ms` : ''}`
    : '';
  return `after ${leadMs} ms${when}: ${texts.join(', and ')}`;
}
