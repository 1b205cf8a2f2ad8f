import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { type Account, signInCounts } from '../accounts/account.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Announce } from '../credentials/announce.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { DurableTokenStore } from '../tokens/token-store.ts';
import { LOGIN_CLIENT_ID, type LoginSession } from './login-session.ts';

const MOST_LISTED = 100;

/** The sign-ins by the JSON API, as they are kept. */
export interface LoginSessions {
  toRecord(session: LoginSession): TokenRecord;
  /** Null once it has ended or expired. */
  find(id: string): Promise<LoginSession | null>;
  /** Those that still count, newest first, at most 100. */
  list(account: Account): Promise<LoginSession[]>;
  /** With its refresh tokens, and recorded. False when somebody else ended it before, so that one of many is told true. */
  end(session: Pick<LoginSession, 'id' | 'accountId'>, by: { ip: string; requestId: string }): Promise<boolean>;
  /** What is left of a session, whether or not there still is one: no refresh token of it works from now on. */
  sweep(id: string): Promise<void>;
}

export function createLoginSessions({
  tokens,
  digester,
  audit,
  announce,
  clock,
}: {
  tokens: DurableTokenStore;
  digester: Digester;
  audit: RecordAudit;
  announce: Announce;
  clock: Clock;
}): LoginSessions {
  const keyOf = (id: string): string => digester.digest('LoginSession', id);
  const read = (record: TokenRecord): LoginSession => JSON.parse(record.payload) as LoginSession;
  const isLive = (session: LoginSession): boolean => session.expiresAt > clock.nowSeconds();

  async function sweep(id: string): Promise<void> {
    await tokens.removeByGrant(id);
    await announce(`grant:${id}`);
  }

  return {
    toRecord: (session) => ({
      kind: 'LoginSession',
      id: keyOf(session.id),
      payload: JSON.stringify(session),
      grantId: session.id,
      accountId: session.accountId,
      clientId: null,
      uid: null,
      userCode: null,
      createdAt: session.signedInAt,
      // The last moment at which a refresh token of it could be used. Idle sessions end by their refresh token.
      expiresAt: session.expiresAt,
      consumedAt: null,
      receipt: null,
    }),
    async find(id) {
      const record = await tokens.find('LoginSession', keyOf(id));
      const session = record && read(record);
      return session && isLive(session) ? session : null;
    },
    async list(account) {
      const records = await tokens.listByAccount('LoginSession', account.id, MOST_LISTED);
      return records.map(read).filter((session) => isLive(session) && signInCounts(account, session.signedInAt));
    },
    async end({ id, accountId }, { ip, requestId }) {
      // The session first: without it no refresh token of it works, should the next step fail.
      const ended = await tokens.remove('LoginSession', keyOf(id));
      await sweep(id);
      if (ended) await audit('account.signed_out', { accountId, clientId: LOGIN_CLIENT_ID, ip, requestId });
      return ended;
    },
    sweep,
  };
}
