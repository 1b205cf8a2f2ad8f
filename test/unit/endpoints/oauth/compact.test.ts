import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { fromCompact, toCompact } from '../../../../src/endpoints/oauth/compact.ts';

const REST = {
  iat: 1,
  exp: 2,
  kind: 'Interaction',
  jti: 'j'.repeat(43),
  prompt: { name: 'login', reasons: ['no_session'] },
};
const SESSION = { session: { uid: 'u', cookie: 'c', accountId: 'acc_1' } };

describe('an interaction at rest', () => {
  it('is what it was, with a session or without, in any characters', () => {
    for (const payload of [
      REST,
      { ...REST, params: {} },
      { ...REST, params: { state: 'ä€😀\0"{', claims: '{"id_token":{"acr":null}}', resource: ['a', 'b'] } },
      { ...REST, ...SESSION, params: { state: randomBytes(3000).toString('base64url') } },
    ]) {
      expect(fromCompact(toCompact(payload))).to.deep.equal(payload);
    }
  });

  it('is read as it was stored before it was compact', () => {
    expect(fromCompact(Buffer.from(JSON.stringify({ ...REST, params: { state: 's' } })))).to.deep.equal({
      ...REST,
      params: { state: 's' },
    });
  });

  it('tells by its length nothing of a session to whoever chose what was asked', () => {
    const cookie = 'a-secret-cookie-value-of-the-session';
    const sizeWith = (state: string): number =>
      toCompact({ ...REST, session: { ...SESSION.session, cookie }, params: { state } }).length;
    expect(sizeWith(cookie)).to.equal(
      toCompact({ ...REST, session: { ...SESSION.session, cookie: cookie.toUpperCase() }, params: { state: cookie } })
        .length,
    );
  });
});
