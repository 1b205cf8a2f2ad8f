import type { SigningKey, SigningKeyState } from './signing-key.ts';

export interface SigningKeyStore {
  /** Every key with a row, oldest first. */
  list(): Promise<SigningKey[]>;
  /** False when the kid exists. */
  insert(key: SigningKey): Promise<boolean>;
  /** Moves several keys at once, in one transaction, each only from the state named; false (and no change) if one was not in it. */
  transition(
    moves: readonly { kid: string; from: SigningKeyState; to: SigningKeyState }[],
    atMs: number,
  ): Promise<boolean>;
  /** Re-seals: replaces the sealed private key when it still is `from`; false otherwise. */
  reseal(kid: string, from: string, to: string): Promise<boolean>;
  remove(kid: string): Promise<boolean>;
}
