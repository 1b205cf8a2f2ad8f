import { expect } from 'chai';
import {
  auditOf,
  call,
  good,
  isAccepted,
  newKey,
  newPerson,
  outcome,
  type Person,
  signIn,
} from '../../support/api-client.ts';
import {
  API,
  createAccount,
  createClient,
  createResource,
  obtainTokens,
  refresh as refreshOAuth,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

describe('sessions of the JSON login', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const refresh = (refreshToken: string): Promise<Reply> =>
    call(harness, 'POST /v1/auth/refresh', { body: { refresh_token: refreshToken } });
  const refused = '401 invalid_refresh_token';
  async function expectEnded({ token, refreshToken }: Person): Promise<void> {
    expect(await outcome(call(harness, 'GET /v1/auth/me', { as: token }))).to.equal('401 unauthenticated');
    expect(await isAccepted(harness, token)).to.equal(false);
    expect(await outcome(refresh(refreshToken))).to.equal(refused);
  }

  describe('a refresh', () => {
    it('answers new tokens of the same session', async () => {
      const person = await newPerson(harness);
      const second = await good(refresh(person.refreshToken));
      expect(second.session_id).to.equal(person.sessionId);
      expect(second.refresh_token).to.not.equal(person.refreshToken);
      expect(await isAccepted(harness, second.access_token)).to.equal(true);
      const third = await good(refresh(second.refresh_token));
      expect(third.session_id).to.equal(person.sessionId);
    });

    it('gives every one of 50 at once the same successor', async () => {
      const person = await newPerson(harness);
      const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(person.refreshToken)));
      const answers = replies.map((reply) => reply.json());
      // The tokens and when they end are the same. `expires_in` is what is left at the moment of each answer.
      const tokens = new Set(answers.map(({ expires_in: _, ...answer }) => JSON.stringify(answer)));
      expect(tokens.size).to.equal(1);
      for (const { expires_in: left, expires_at: end } of answers) {
        const leftNow = Math.floor(Date.parse(end) / 1000) - Math.floor(Date.now() / 1000);
        expect(left).to.be.within(leftNow, leftNow + 5);
      }
      const { refresh_token: successor } = replies[0]?.json() ?? {};
      expect((await refresh(successor)).status).to.equal(200);
    });

    it('of a token that was used a while ago ends the session, and says so in the audit trail', async () => {
      const person = await newPerson(harness);
      const second = await good(refresh(person.refreshToken));
      using _ = travel(11);
      expect(await outcome(refresh(person.refreshToken))).to.equal(refused);
      await expectEnded({ ...person, token: second.access_token, refreshToken: second.refresh_token });
      expect(await auditOf(harness, 'login.refresh_token_reused', person.id)).to.have.length(1);
    });

    it('takes no token but its own: not of OAuth, not an access token, not garbage', async () => {
      const web = await createClient(harness);
      const tokens = await obtainTokens(harness, web);
      const person = await newPerson(harness);
      for (const value of [tokens.refresh_token, tokens.access_token, person.token, 'x', `grt_${'A'.repeat(43)}`]) {
        expect(await outcome(refresh(value.slice(0, 128)))).to.equal(refused);
      }
      expect((await refreshOAuth(harness, web, tokens.refresh_token)).status).to.equal(200);
    });

    it("token of the login is no OAuth client's", async () => {
      const web = await createClient(harness);
      const person = await newPerson(harness);
      const reply = await refreshOAuth(harness, web, person.refreshToken);
      expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
      // That was no use of it.
      expect((await refresh(person.refreshToken)).status).to.equal(200);
    });

    it('needs its token', async () => {
      const reply = await call(harness, 'POST /v1/auth/refresh');
      expect([reply.status, reply.json().fields[0].field]).to.deep.equal([400, 'refresh_token']);
    });
  });

  describe('signing out', () => {
    const logout = (as: string | undefined, body?: object): Promise<Reply> =>
      call(harness, 'POST /v1/auth/logout', { ...(as === undefined ? {} : { as }), ...(body ? { body } : {}) });

    it('by the access token ends the session at once, warm as it may be', async () => {
      const person = await newPerson(harness);
      expect(await isAccepted(harness, person.token)).to.equal(true);
      expect((await logout(person.token)).status).to.equal(204);
      await expectEnded(person);
    });

    it('by the refresh token does, the access token being over or not', async () => {
      const person = await newPerson(harness);
      expect((await logout(undefined, { refresh_token: person.refreshToken })).status).to.equal(204);
      await expectEnded(person);
      const other = await newPerson(harness);
      using _ = travel(1000);
      expect((await logout(other.token, { refresh_token: other.refreshToken })).status).to.equal(204);
      expect(await outcome(refresh(other.refreshToken))).to.equal(refused);
    });

    it('leaves the other sessions of the account alone', async () => {
      const who = await createAccount(harness);
      const [here, there] = [await signIn(harness, who), await signIn(harness, who)];
      await logout(here.token);
      expect(await isAccepted(harness, there.token)).to.equal(true);
      expect((await refresh(there.refreshToken)).status).to.equal(200);
    });

    it('again, with nothing or with garbage is no news', async () => {
      const person = await newPerson(harness);
      for (let i = 0; i < 2; i += 1) expect((await logout(person.token)).status).to.equal(204);
      expect((await logout(undefined)).status).to.equal(204);
      expect((await logout('gh_live_garbage')).status).to.equal(204);
      expect((await logout(undefined, { refresh_token: 'garbage' })).status).to.equal(204);
    });

    it('does not say it is done by a credential that has no session and works on', async () => {
      const person = await newPerson(harness);
      const key = await newKey(harness, person);
      const web = await createClient(harness, { scopes: ['openid', 'read'], resources: [harness.issuer] });
      const { access_token: app } = await obtainTokens(harness, web, {
        who: { email: person.email, password: person.password },
        scope: 'openid read',
        resource: harness.issuer,
      });
      for (const credential of [key.key, app]) {
        const reply = await logout(credential);
        expect(await outcome(reply)).to.equal('400 invalid_request');
        expect(reply.json().detail).to.match(/has no sign-in that could end/);
        expect(await isAccepted(harness, credential)).to.equal(true);
      }
      // With a refresh token there is something to end.
      expect((await logout(key.key, { refresh_token: person.refreshToken })).status).to.equal(204);
      await expectEnded(person);
    });

    it('does not say it is done when the token is over and the session goes on', async () => {
      const person = await newPerson(harness);
      using _ = travel(1000);
      expect(await outcome(logout(person.token))).to.equal('401 token_expired');
      expect((await refresh(person.refreshToken)).status).to.equal(200);
    });
  });

  describe('the list', () => {
    it('shows the sign-ins of the account and ends one of them at once', async () => {
      const who = await createAccount(harness);
      const [here, there] = [await signIn(harness, who), await signIn(harness, who)];
      const { data } = await good(call(harness, 'GET /v1/auth/sessions', { as: here.token }));
      expect(data.map(({ id }: { id: string }) => id)).to.have.members([here.sessionId, there.sessionId]);
      expect(data.find(({ current }: { current: boolean }) => current).id).to.equal(here.sessionId);
      expect(await isAccepted(harness, there.token)).to.equal(true);
      const gone = await call(harness, `DELETE /v1/auth/sessions/${there.sessionId}`, { as: here.token });
      expect(gone.status).to.equal(204);
      await expectEnded(there);
      expect(await isAccepted(harness, here.token)).to.equal(true);
    });

    it("is one's own: another's session is not there", async () => {
      const [ada, eve] = [await newPerson(harness), await newPerson(harness)];
      const reply = call(harness, `DELETE /v1/auth/sessions/${ada.sessionId}`, { as: eve.token });
      expect(await outcome(reply)).to.equal('404 not_found');
      expect(await isAccepted(harness, ada.token)).to.equal(true);
      const { data } = await good(call(harness, 'GET /v1/auth/sessions', { as: eve.token }));
      expect(data).to.have.length(1);
    });

    it('is for a sign-in: no key and no token of an app sees or ends one', async () => {
      const person = await newPerson(harness);
      const { key } = await newKey(harness, person, { scopes: ['manage', 'read', 'write'] });
      for (const request of ['GET /v1/auth/sessions', `DELETE /v1/auth/sessions/${person.sessionId}`]) {
        expect(await outcome(call(harness, request, { as: key }))).to.equal('403 insufficient_scope');
      }
    });
  });

  describe('a new password', () => {
    const change = (person: Person, body: object): Promise<Reply> =>
      call(harness, 'POST /v1/auth/password', { as: person.token, body });
    const NEW = 'an entirely different password';

    it('ends everything that was signed in at once: sessions, tokens of apps, refresh tokens', async () => {
      const who = await createAccount(harness);
      const [here, there] = [await signIn(harness, who), await signIn(harness, who)];
      const opaque = await createResource(harness);
      const web = await createClient(harness, { resources: [API, opaque.identifier] });
      const jwt = await obtainTokens(harness, web, { who, scope: 'openid read offline_access', resource: API });
      const plain = await obtainTokens(harness, web, {
        who,
        scope: 'openid read offline_access',
        resource: opaque.identifier,
      });
      const accessTokens = [here.token, there.token, jwt.access_token, plain.access_token];
      for (const value of accessTokens) expect(await isAccepted(harness, value)).to.equal(true);

      const reply = await change(here, { current_password: who.password, new_password: NEW });
      expect(reply.status).to.equal(204);
      for (const value of accessTokens) expect(await isAccepted(harness, value)).to.equal(false);
      await expectEnded(here);
      await expectEnded(there);
      expect((await refreshOAuth(harness, web, jwt.refresh_token)).json().error).to.equal('invalid_grant');
      const old = call(harness, 'POST /v1/auth/login', { body: { email: who.email, password: who.password } });
      expect(await outcome(old)).to.equal('401 invalid_credentials');
      await signIn(harness, { email: who.email, password: NEW });
    });

    it('needs the current one, and guessing that is throttled like any sign-in', async () => {
      const person = await newPerson(harness);
      for (let i = 0; i < 5; i += 1) {
        const reply = change(person, { current_password: 'not the one at all', new_password: NEW });
        expect(await outcome(reply)).to.equal('401 invalid_credentials');
      }
      const right = change(person, { current_password: person.password, new_password: NEW });
      expect(await outcome(right)).to.equal('429 too_many_requests');
      expect(await isAccepted(harness, person.token)).to.equal(true);
    });

    it('must be a good one, named as it was sent', async () => {
      const person = await newPerson(harness);
      const reply = await change(person, { current_password: person.password, new_password: 'short' });
      expect([reply.status, reply.json().fields[0].field]).to.deep.equal([400, 'new_password']);
    });
  });

  it('end with the account that is disabled', async () => {
    const person = await newPerson(harness);
    expect(await isAccepted(harness, person.token)).to.equal(true);
    await harness.services.manageAccounts.disable(person.id);
    await expectEnded(person);
  });
});
