/** When something was wrong on purpose: what excuses an answer, and what does not. */
import type { Call, Disturbance } from '../ledger.ts';

/** After both nodes answered every kind of request, a connection of a pool may still find out that it is dead. */
const AFTERMATH_MS = 1_000;

interface Span {
  startedMs: number;
  endedMs: number;
}

const overlaps = (call: Span, { startedMs, recoveredMs }: Disturbance): boolean =>
  call.startedMs <= recoveredMs + AFTERMATH_MS && call.endedMs >= startedMs;

export const during = (call: Span, disturbances: readonly Disturbance[]): Disturbance[] =>
  disturbances.filter((disturbance) => overlaps(call, disturbance));

export const whileDown = (call: Call, disturbances: readonly Disturbance[]): boolean =>
  during(call, disturbances).some(({ downs }) => downs.includes(call.node));

export const whileFrozen = (call: Call, disturbances: readonly Disturbance[]): boolean =>
  during(call, disturbances).some(({ freezes }) => freezes.includes(call.node));

/** Whether a clock was wrong at any time of the span, so that lifetimes say nothing. */
export const clockMoved = (span: Span, disturbances: readonly Disturbance[]): boolean =>
  during(span, disturbances).some(({ movesClock }) => movesClock);

export const memoryLost = (span: Span, disturbances: readonly Disturbance[]): boolean =>
  during(span, disturbances).some(({ losesMemory }) => losesMemory);

export const at = ({ startedMs, endedMs, node, operation }: Call): string =>
  `${operation} at ${node}, ${seconds(startedMs)} to ${seconds(endedMs)}`;

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export const told = ({ outcome }: Call): string =>
  outcome.kind === 'answer'
    ? [outcome.status, outcome.error].filter(Boolean).join(' ')
    : 'why' in outcome
      ? `${outcome.kind} (${outcome.why})`
      : outcome.kind;
