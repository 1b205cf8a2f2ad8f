import { StoreRefusal } from '../../kit/errors.ts';

/** What one look at the deployment found. */
export interface Finding {
  about: string;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it. */
  advice?: string;
}

export const ok = (about: string, detail: string): Finding => ({ about, status: 'ok', detail });
export const warn = (about: string, detail: string, advice: string): Finding => ({
  about,
  status: 'warn',
  detail,
  advice,
});
export const fail = (about: string, detail: string, advice: string): Finding => ({
  about,
  status: 'fail',
  detail,
  advice,
});

/** The reason in a few words. Never a driver's own message: it may repeat a connection string. */
export function reasonOf(error: unknown): string {
  if (error instanceof StoreRefusal) return error.message;
  const { code, cause, reason } = error as { code?: unknown; cause?: unknown; reason?: unknown };
  if (typeof reason === 'string') {
    // The code is what one looks up.
    const known =
      (error as Error).name === 'StoreUnavailableError' ? (cause as { code?: unknown } | undefined)?.code : code;
    return typeof known === 'string' && known !== 'unknown' ? `${reason} (${known})` : reason;
  }
  if (cause !== undefined && cause !== null) return reasonOf(cause);
  return typeof code === 'string' && code !== 'temporarily_unavailable' ? code : 'no answer';
}

const WORST_SKEW_MS = 2000;

/** Lifetimes are decided with the clock of each process, so clocks that differ end tokens early or late. */
export function skew(about: string, theirMs: number, ourMs: number): Finding[] {
  const seconds = Math.round(Math.abs(theirMs - ourMs) / 1000);
  if (Math.abs(theirMs - ourMs) <= WORST_SKEW_MS) return [];
  return [warn(about, `its clock and ours are ${seconds} s apart`, 'Synchronize the clocks of all machines (NTP).')];
}
