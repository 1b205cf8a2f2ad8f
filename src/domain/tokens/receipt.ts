import { createSealer } from '../../kit/seal.ts';

/** What a rotated refresh token leaves behind: the answer its first use got. */
export interface Receipt<Response> {
  response: Response;
  /** Where the first use came from. */
  addressGroup: string;
}

/**
 * Seals receipts so that only the holder of the used token can open them. `context` is what the answer was given for; a retry
 * that asks for something else does not open it.
 */
export interface Receipts<Response> {
  seal(token: string, context: string, receipt: Receipt<Response>): string;
  /** Null when the receipt is another token's or was given for something else. */
  open(token: string, context: string, sealed: string): Receipt<Response> | null;
}

export function createReceipts<Response>({
  receiptKey,
}: {
  /** A key of the process for a used token's receipt: derived from the token, so the database alone cannot open it. */
  receiptKey: (token: string) => string;
}): Receipts<Response> {
  const sealerOf = (token: string) => createSealer([receiptKey(token)]);
  return {
    seal: (token, context, receipt) => sealerOf(token).seal(JSON.stringify(receipt), context),
    open(token, context, sealed) {
      try {
        return JSON.parse(sealerOf(token).open(sealed, context).toString()) as Receipt<Response>;
      } catch {
        return null;
      }
    },
  };
}
