import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90d`, `1h`, `15m`, `30s` or bare seconds, as whole seconds; null when it is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text.trim());
  return match ? Number(match[1]) * (UNITS[match[2] || 's'] ?? 1) : null;
}

/** A duration setting in seconds. */
export const duration = (byDefault: string, { min, max = 3650 * 86_400 }: { min: number; max?: number }) =>
  z
    .string()
    .default(byDefault)
    .transform((text, context) => {
      const seconds = parseDuration(text);
      if (seconds !== null && seconds >= min && seconds <= max) return seconds;
      context.addIssue({ code: 'custom', message: `use a duration such as ${byDefault}, from ${min}s to ${max}s` });
      return z.NEVER;
    })
    .meta({ values: `duration, ${shortest(min)} to ${shortest(max)}` });

/** A duration in seconds, or null for `never`. */
export const durationOrNever = (byDefault: string, { min, max = 3650 * 86_400 }: { min: number; max?: number }) =>
  z
    .string()
    .default(byDefault)
    .transform((text, context) => {
      if (text.trim() === 'never') return null;
      const seconds = parseDuration(text);
      if (seconds !== null && seconds >= min && seconds <= max) return seconds;
      context.addIssue({
        code: 'custom',
        message: `use never or a duration such as ${byDefault}, from ${min}s to ${max}s`,
      });
      return z.NEVER;
    })
    .meta({ values: `duration, ${shortest(min)} to ${shortest(max)}, or never` });

/** In the largest unit that divides it. */
function shortest(seconds: number): string {
  const [unit, length] = Object.entries(UNITS).findLast(([, each]) => seconds >= each && seconds % each === 0) ?? [
    's',
    1,
  ];
  return `${seconds / length}${unit}`;
}

export const port = z.coerce.number().int().min(1).max(65_535);

/** Comma-separated. */
export const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  )
  .meta({ values: 'list' });

export const path = z
  .string()
  .regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'use a path such as /oauth2/token, without a trailing slash')
  .meta({ values: 'path' });

export const flag = z
  .enum(['true', 'false', '1', '0'])
  .transform((text) => text === 'true' || text === '1')
  .meta({ values: 'flag' });
