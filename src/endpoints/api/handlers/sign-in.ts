import type { Context } from 'koa';
import type { ManageApiKeys } from '../../../domain/api-keys/manage-api-keys.ts';
import type { Principal } from '../../../domain/credentials/principal.ts';
import type { Login, LoginOrigin, LoginTokens } from '../../../domain/login/login.ts';
import type { Clock } from '../../../kit/clock.ts';
import { AppError } from '../../../kit/errors.ts';
import { accountAnswer, apiKeyAnswer, timeOfSeconds } from '../answers.ts';
import type { Call, Handlers } from '../call.ts';
import type { Dialect } from '../dialect.ts';
import type { ApiDevice } from '../known-device.ts';
import type { LoginCookies } from '../login-cookies.ts';
import type { Output } from '../operations.ts';

type SignInHandlers = Pick<Handlers, 'signUp' | 'login' | 'refresh' | 'logout'>;

const NO_SESSION: Readonly<Record<Principal['method'], string>> = {
  api_key: 'An API key has no sign-in that could end. To end the key, revoke it.',
  access_token:
    'The token of an app has no sign-in that could end. To end the token, revoke it at the revocation endpoint.',
  session: 'This sign-in is that of the sign-in page. End it at the sign-out page.',
  login: 'The credential has no sign-in that could end.',
};

/** Ways in and out that need no credential yet. */
export function createSignInHandlers({
  login,
  manageApiKeys,
  cookies,
  device,
  keyAtSignUp,
  clock,
}: {
  login: Login;
  manageApiKeys: ManageApiKeys;
  cookies: LoginCookies;
  device: ApiDevice;
  keyAtSignUp: Dialect['keys']['atSignUp'];
  clock: Clock;
}): SignInHandlers {
  function originOf({ ctx, facts }: Call, knownDevice: LoginOrigin['knownDevice'] = null): LoginOrigin {
    const { ip, addressGroup, requestId } = facts;
    return { ip, addressGroup, requestId, userAgent: ctx.get('user-agent'), knownDevice };
  }

  /** By cookies, the tokens are not in the answer: no script can read them, ours neither. */
  function handOut(ctx: Context, tokens: LoginTokens, byCookies: boolean): Output<'login'> {
    const { account, session, accessTokenExpiresAt, scopes } = tokens;
    const who = {
      account: accountAnswer(account),
      session_id: session.id,
      scopes: [...scopes],
      expires_at: timeOfSeconds(accessTokenExpiresAt),
    };
    if (byCookies) {
      cookies.set(ctx, tokens);
      return who;
    }
    return {
      ...who,
      token_type: 'Bearer',
      access_token: tokens.accessToken,
      expires_in: accessTokenExpiresAt - clock.nowSeconds(),
      refresh_token: tokens.refreshToken,
      refresh_expires_at: timeOfSeconds(tokens.refreshTokenExpiresAt),
    };
  }

  return {
    async signUp({ email, password, given_name: givenName, family_name: familyName }, call) {
      const account = await login.signUp(
        { email, password, ...(givenName ? { givenName } : {}), ...(familyName ? { familyName } : {}) },
        originOf(call),
      );
      if (!keyAtSignUp) return accountAnswer(account);
      const { ip, requestId } = call.facts;
      const actor = {
        ownerId: account.id,
        id: account.id,
        scopes: null,
        environment: null,
        keyId: null,
        isApp: false,
        ip,
        requestId,
      };
      const { key, secret } = await manageApiKeys.issue(keyAtSignUp, actor);
      return { ...accountAnswer(account), api_key: { ...apiKeyAnswer(key, clock.nowMs()), key: secret } };
    },

    async login({ email, password, mode, device_token: sent }, call) {
      const byCookies = mode === 'cookies';
      // Cookies that another site could plant would sign a person in to somebody else's account.
      if (byCookies) cookies.requireOwnPage(call.ctx);
      const known = await device.read(call.ctx, sent);
      const tokens = await login.login({ email, password }, originOf(call, known));
      const answer = handOut(call.ctx, tokens, byCookies);
      if (!byCookies) return { ...answer, device_token: device.remember(call.ctx, tokens.account.id, known) };
      device.rememberByCookie(call.ctx, tokens.account.id);
      return answer;
    },

    async refresh({ refresh_token: sent }, call) {
      const { ctx } = call;
      const kept = sent === undefined ? cookies.refreshToken(ctx) : null;
      const value = sent ?? kept;
      if (value === undefined || value === null) {
        throw new AppError('invalid_request', {
          public: 'refresh_token: is missing',
          facts: { fields: [{ field: 'refresh_token', problem: 'is missing' }] },
        });
      }
      if (kept !== null) cookies.requireOwnPage(ctx);
      return handOut(ctx, await login.refresh(value, originOf(call)), kept !== null);
    },

    async logout({ refresh_token: sent }, call) {
      const { ctx, principal, refusal } = call;
      const kept = cookies.refreshToken(ctx);
      if (sent === undefined && kept !== null) cookies.requireOwnPage(ctx);
      const refreshToken = sent ?? kept;
      // Its session goes on, so nobody must believe that they are signed out.
      if (refusal?.code === 'token_expired' && refreshToken === null) throw refusal;
      // Nor by a credential that works on: it belongs to no sign-in of this kind.
      if (principal && principal.sessionId === null && refreshToken === null) {
        throw new AppError('invalid_request', { public: NO_SESSION[principal.method] });
      }
      if (principal?.sessionId) await login.endSession(principal.subject, principal.sessionId, originOf(call));
      if (refreshToken !== null) await login.endSessionOf(refreshToken, originOf(call));
      if (kept !== null || call.presented.credential?.from === 'login-cookie') cookies.clear(ctx);
      return null;
    },
  };
}
