import type { AccountStore } from '../../../domain/accounts/account-store.ts';
import type { Login, LoginOrigin } from '../../../domain/login/login.ts';
import { AppError } from '../../../kit/errors.ts';
import { accountAnswer, timeOfSeconds } from '../answers.ts';
import { type Call, type Handlers, who } from '../call.ts';
import type { ApiDevice } from '../known-device.ts';

/** What an account does with itself. */
export function createAccountHandlers({
  accounts,
  login,
  device,
}: {
  accounts: AccountStore;
  login: Login;
  device: ApiDevice;
}): Pick<Handlers, 'me' | 'changePassword' | 'listSessions' | 'endSession'> {
  async function originOf({ ctx, facts }: Call): Promise<LoginOrigin> {
    const { ip, addressGroup, requestId } = facts;
    return { ip, addressGroup, requestId, userAgent: ctx.get('user-agent'), knownDevice: await device.read(ctx) };
  }

  return {
    async me(_input, call) {
      const { subject, scopes, method } = who(call);
      const account = await accounts.find(subject);
      if (!account) throw new AppError('unauthenticated');
      const answer = { ...accountAnswer(account), scopes: [...scopes] };
      // An app asks for these by OpenID Connect, and the person is asked.
      if (method !== 'access_token') return answer;
      return { ...answer, email: null, email_verified: false, given_name: null, family_name: null };
    },
    async changePassword({ current_password: currentPassword, new_password: newPassword }, call) {
      await login.changePassword(who(call).subject, { currentPassword, newPassword }, await originOf(call));
      return null;
    },
    async listSessions(_input, call) {
      const { subject, sessionId } = who(call);
      const sessions = await login.sessions(subject);
      return {
        data: sessions.map((session) => ({
          id: session.id,
          current: session.id === sessionId,
          signed_in_at: timeOfSeconds(session.signedInAt),
          expires_at: timeOfSeconds(session.expiresAt),
          ip: session.ip,
          user_agent: session.userAgent,
        })),
      };
    },
    async endSession({ id }, call) {
      if (await login.endSession(who(call).subject, id, await originOf(call))) return null;
      throw new AppError('not_found', { public: 'You have no such sign-in.' });
    },
  };
}
