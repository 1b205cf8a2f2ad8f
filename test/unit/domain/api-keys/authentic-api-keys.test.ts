import { expect } from 'chai';
import { apiKeyFacts } from '../../../../src/domain/api-keys/authentic-api-keys.ts';
import { apiKeyOf, T } from '../../../conformance/api-keys.ts';

describe('what the MAC of an API key is over', () => {
  it('is for a key without a known rotator what it was before there were such columns', () => {
    const key = apiKeyOf({ rotatedAt: T, expiresAt: T + 1, limit: { quota: 5, windowSeconds: 60 } });
    const { id, ownerId, current, scopes, namespace, createdBy, createdAt } = key;
    expect(apiKeyFacts(key)).to.deep.equal([
      ...[id, ownerId, 'live', current?.mac, current?.pepperId, null, null, null, null, null],
      ...[scopes, [], namespace, 5, 60, createdBy, createdAt, T + 1, null, null, T],
    ]);
  });

  it('holds what made each secret, so that none can be taken out of what ends with it', () => {
    const facts = (changes: object) => JSON.stringify(apiKeyFacts(apiKeyOf({ id: 'key_a', ...changes })).slice(21));
    const all = [{}, { rotatedBy: 'a' }, { previousBy: 'a' }, { rotatedBy: 'a', previousBy: 'a' }].map(facts);
    expect(new Set(all).size).to.equal(4);
  });
});
