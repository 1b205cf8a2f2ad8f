import { monotonicMs } from './clock.ts';

/**
 * What strangers can cause must not fill the log: of each kind so many lines in a span of time, and with the next one how many were
 * left out. Kinds are ours, never text of a request.
 * @returns null for a line that is left out
 */
export type Seldom = (kind: string) => { leftOut?: number } | null;

export function createSeldom({ most, withinMs }: { most: number; withinMs: number }): Seldom {
  const spans = new Map<string, { sinceMs: number; lines: number; leftOut: number }>();
  return (kind) => {
    const nowMs = monotonicMs();
    let span = spans.get(kind);
    if (!span) {
      span = { sinceMs: nowMs, lines: 0, leftOut: 0 };
      spans.set(kind, span);
    }
    if (nowMs - span.sinceMs >= withinMs) {
      span.sinceMs = nowMs;
      span.lines = 0;
    }
    if (span.lines >= most) {
      span.leftOut += 1;
      return null;
    }
    span.lines += 1;
    const { leftOut } = span;
    span.leftOut = 0;
    return leftOut === 0 ? {} : { leftOut };
  };
}
