import type { SigningKey } from '../../domain/signing-keys/signing-key.ts';
import type { SigningKeyStore } from '../../domain/signing-keys/signing-key-store.ts';
import type { Database } from './database.ts';

interface SigningKeyRow {
  kid: string;
  algorithm: SigningKey['algorithm'];
  state: SigningKey['state'];
  public_jwk: string;
  sealed_private_jwk: string;
  created_at: number;
  state_since: number;
}

/** Undoes the moves made before the one that found its key in another state. */
class NotInState extends Error {}

export function createSigningKeyStore({ database }: { database: Database }): SigningKeyStore {
  return {
    async list() {
      const sql =
        'select kid, algorithm, state, public_jwk, sealed_private_jwk, created_at, state_since ' +
        'from signing_keys order by created_at, kid';
      return (await database.rows<SigningKeyRow>(sql, [])).map(toSigningKey);
    },

    insert: (key) =>
      database.insertIfAbsent('signing_keys', {
        kid: key.kid,
        algorithm: key.algorithm,
        state: key.state,
        public_jwk: key.publicJwk,
        sealed_private_jwk: key.sealedPrivateJwk,
        created_at: key.createdAt,
        state_since: key.stateSince,
      }),

    async transition(moves, atMs) {
      try {
        await database.transaction(async (tx) => {
          // Always in the same order, or two rotations could wait for each other.
          for (const { kid, from, to } of [...moves].sort((a, b) => (a.kid < b.kid ? -1 : 1))) {
            const sql = 'update signing_keys set state = ?, state_since = ? where kid = ? and state = ?';
            if ((await tx.affected(sql, [to, atMs, kid, from])) !== 1) throw new NotInState();
          }
        });
        return true;
      } catch (error) {
        if (error instanceof NotInState) return false;
        throw error;
      }
    },

    async reseal(kid, from, to) {
      const sql = 'update signing_keys set sealed_private_jwk = ? where kid = ? and sealed_private_jwk = ?';
      return (await database.affected(sql, [to, kid, from])) === 1;
    },

    remove: async (kid) => (await database.affected('delete from signing_keys where kid = ?', [kid])) === 1,
  };
}

const toSigningKey = (row: SigningKeyRow): SigningKey => ({
  kid: row.kid,
  algorithm: row.algorithm,
  state: row.state,
  publicJwk: row.public_jwk,
  sealedPrivateJwk: row.sealed_private_jwk,
  createdAt: row.created_at,
  stateSince: row.state_since,
});
