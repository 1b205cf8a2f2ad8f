import { expect } from 'chai';
import fc from 'fast-check';
import { type Consent, mergeConsent } from '../../../../src/domain/consents/consent.ts';

const consent = (given: Partial<Consent>): Consent => ({
  accountId: 'acc',
  clientId: 'app',
  scopes: [],
  claims: [],
  resources: {},
  updatedAt: 0,
  ...given,
});
const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'));
const anyConsent = fc
  .record({
    scopes: names,
    claims: names,
    resources: fc.dictionary(fc.constantFrom('https://x.example', 'https://y.example'), names),
    updatedAt: fc.nat(),
  })
  .map(consent);
const contains = (whole: readonly string[] = [], part: readonly string[] = []): boolean =>
  part.every((item) => whole.includes(item));

/** In one order, and without the time. */
const sorted = ({ scopes, claims, resources }: Consent) => ({
  scopes: [...scopes].sort(),
  claims: [...claims].sort(),
  resources: Object.fromEntries(
    Object.entries(resources)
      .map(([resource, names]) => [resource, [...names].sort()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ),
});

describe('a consent', () => {
  it('is what was allowed when nothing was allowed before', () => {
    const now = consent({ scopes: ['openid'], resources: { x: ['read'] }, updatedAt: 5 });
    expect(mergeConsent(null, now)).to.deep.equal(now);
  });

  it('adds to what was allowed before', () => {
    const before = consent({
      scopes: ['openid', 'email'],
      claims: ['name'],
      resources: { x: ['read'], y: ['a'] },
      updatedAt: 1,
    });
    const now = consent({
      scopes: ['profile', 'openid'],
      claims: ['email'],
      resources: { x: ['write'] },
      updatedAt: 2,
    });
    expect(mergeConsent(before, now)).to.deep.equal(
      consent({
        scopes: ['email', 'openid', 'profile'],
        claims: ['email', 'name'],
        resources: { x: ['read', 'write'], y: ['a'] },
        updatedAt: 2,
      }),
    );
  });

  it('never loses anything and never invents anything, in whatever order', () => {
    fc.assert(
      fc.property(anyConsent, anyConsent, (before, now) => {
        const merged = mergeConsent(before, now);
        for (const part of [before, now]) {
          expect(contains(merged.scopes, part.scopes) && contains(merged.claims, part.claims)).to.equal(true);
          for (const [resource, scopes] of Object.entries(part.resources))
            expect(contains(merged.resources[resource], scopes)).to.equal(true);
        }
        expect(contains([...before.scopes, ...now.scopes], merged.scopes)).to.equal(true);
        for (const [resource, scopes] of Object.entries(merged.resources))
          expect(
            contains([...(before.resources[resource] ?? []), ...(now.resources[resource] ?? [])], scopes),
          ).to.equal(true);
        expect(sorted(mergeConsent(now, before))).to.deep.equal(sorted(merged));
        expect(sorted(mergeConsent(merged, now))).to.deep.equal(sorted(merged));
      }),
    );
  });

  it('does not keep a scope allowed for one resource server for another', () => {
    const merged = mergeConsent(consent({ resources: { x: ['write'] } }), consent({ resources: { y: ['read'] } }));
    expect(merged.resources).to.deep.equal({ x: ['write'], y: ['read'] });
  });
});
