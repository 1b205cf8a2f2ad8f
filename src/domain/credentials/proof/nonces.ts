import type { Clock } from '../../../kit/clock.ts';
import { constantTimeEqual, type Digester } from '../../../kit/digest.ts';

const WINDOW_SECONDS = 120;

/** Server nonces of RFC 9449 8: they keep a stolen device from making proofs for later. */
export interface DpopNonces {
  current(): string;
  accepts(nonce: string): boolean;
}

/**
 * Made from the time, so nothing is stored and every process of a deployment knows them. Besides the current one the one
 * before is good, for 2 to 4 minutes in all, and the next: a process whose clock is ahead may have given it out, and nobody
 * else can know it.
 */
export function createDpopNonces({ digester, clock }: { digester: Digester; clock: Clock }): DpopNonces {
  const nonceOf = (window: number): string => digester.digest('dpop-nonce', String(window));
  const currentWindow = (): number => Math.floor(clock.nowSeconds() / WINDOW_SECONDS);
  return {
    current: () => nonceOf(currentWindow()),
    accepts(nonce) {
      const window = currentWindow();
      return [window, window - 1, window + 1].some((each) => constantTimeEqual(nonce, nonceOf(each)));
    },
  };
}
