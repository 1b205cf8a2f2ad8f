import { type Clock, isWithin } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { type Account, signInCounts } from '../accounts/account.ts';
import type { AccountStore } from '../accounts/account-store.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { createBearerText } from '../tokens/bearer-text.ts';
import { createReceipts } from '../tokens/receipt.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { DurableTokenStore } from '../tokens/token-store.ts';
import type { IssuedTokens, IssueLoginTokens, LoginGrant } from './issue-tokens.ts';
import type { LoginOrigin, LoginTokens } from './login.ts';
import { LOGIN_CLIENT_ID, type LoginSession } from './login-session.ts';
import type { LoginSessions } from './login-sessions.ts';

const refused = (internal: string): AppError => new AppError('invalid_refresh_token', { internal });

export const readGrant = (record: TokenRecord): LoginGrant => JSON.parse(record.payload) as LoginGrant;

/**
 * Same-successor rotation, as at the token endpoint: see endpoints/oauth/refresh-grant.ts. The first use mints the successor,
 * a retry within `graceSeconds` gets that very answer, any later use ends the session.
 */
export function createRefreshLogin({
  tokens,
  sessions,
  accounts,
  issueTokens,
  digester,
  receiptKey,
  audit,
  clock,
  graceSeconds,
}: {
  tokens: DurableTokenStore;
  sessions: LoginSessions;
  accounts: Pick<AccountStore, 'find'>;
  issueTokens: IssueLoginTokens;
  digester: Digester;
  /** See `createReceipts`. */
  receiptKey: (token: string) => string;
  audit: RecordAudit;
  clock: Clock;
  graceSeconds: number;
}): (refreshToken: string, origin: LoginOrigin) => Promise<LoginTokens> {
  const receipts = createReceipts<IssuedTokens>({ receiptKey });
  const bearerText = createBearerText({ digester });
  const contextOf = (id: string): string => JSON.stringify(['login-receipt', id]);

  /** What must hold at every use, whatever the token itself says. */
  async function standing(grant: LoginGrant): Promise<{ account: Account; session: LoginSession }> {
    const [session, account] = await Promise.all([sessions.find(grant.sessionId), accounts.find(grant.accountId)]);
    if (!session) throw refused('the session ended');
    if (!account || !signInCounts(account, grant.signedInAt)) throw refused('the account is disabled or signed out');
    return { account, session };
  }

  /** The answer to a token that was used before. */
  async function replay(record: TokenRecord, value: string, origin: LoginOrigin): Promise<LoginTokens> {
    const { id, consumedAt, receipt } = record;
    const grant = readGrant(record);
    const facts = {
      accountId: grant.accountId,
      clientId: LOGIN_CLIENT_ID,
      ip: origin.ip,
      requestId: origin.requestId,
    };
    if (consumedAt === null || receipt === null || !isWithin(consumedAt, graceSeconds * 1000, clock.nowMs())) {
      await sessions.sweep(grant.sessionId);
      await audit('login.refresh_token_reused', facts);
      throw refused('the refresh token was already used; its session was ended');
    }
    const open = await standing(grant);
    const kept = receipts.open(value, contextOf(id), receipt);
    if (!kept) throw refused('the receipt does not open');
    if (kept.addressGroup !== origin.addressGroup) {
      await audit('login.refresh_token_replayed', { ...facts, details: { firstUse: kept.addressGroup } });
    }
    return { ...open, ...kept.response };
  }

  return async (value, origin) => {
    if (!bearerText.isOurs(value)) throw refused('no token of ours');
    const id = digester.digest('LoginRefreshToken', value);
    const record = await tokens.find('LoginRefreshToken', id);
    if (!record) throw refused('no such refresh token');
    if (record.consumedAt !== null) return replay(record, value, origin);
    if (record.expiresAt !== null && record.expiresAt <= clock.nowSeconds()) throw refused('the session was idle');

    const grant = readGrant(record);
    const open = await standing(grant);
    const { issued, record: successor } = issueTokens(grant, open.account);
    const { addressGroup } = origin;
    const receipt =
      graceSeconds > 0 ? { receipt: receipts.seal(value, contextOf(id), { response: issued, addressGroup }) } : {};
    const use = { kind: 'LoginRefreshToken', id, atMs: clock.nowMs(), ...receipt } as const;
    if (await tokens.commit({ consume: use, inserts: [successor] })) {
      // Who ended the session meanwhile may not have seen the successor.
      if (await sessions.find(grant.sessionId)) return { ...open, ...issued };
      await sessions.sweep(grant.sessionId);
      throw refused('the session ended meanwhile');
    }
    // Somebody else was faster: the successor minted here was never stored, theirs is the answer.
    const winner = await tokens.find('LoginRefreshToken', id);
    if (!winner) throw refused('the session ended meanwhile');
    return replay(winner, value, origin);
  };
}
