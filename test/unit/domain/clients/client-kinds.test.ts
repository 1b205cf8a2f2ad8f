import { expect } from 'chai';
import { CLIENT_KINDS, clientOfKind } from '../../../../src/domain/clients/client-kinds.ts';
import { clientProblems } from '../../../../src/domain/clients/client-rules.ts';

const REDIRECTS = {
  web: ['https://shop.test/callback'],
  spa: ['https://shop.test/callback', 'https://shop.test/silent', 'http://127.0.0.1:8080/callback'],
  native: ['com.example.app:/callback', 'http://127.0.0.1/callback'],
  machine: [],
};
const usual = (kind: (typeof CLIENT_KINDS)[number]) =>
  clientOfKind(kind, { id: 'a', name: 'A', redirectUris: REDIRECTS[kind] });

describe('the usual client of a kind', () => {
  for (const kind of CLIENT_KINDS) {
    it(`${kind} passes the rules with nothing but its redirect URIs`, () => {
      const client = { ...usual(kind), secrets: [], createdAt: 0, updatedAt: 0 };
      expect(clientProblems(client)).to.deep.equal([]);
      expect(client.requirePkce).to.equal(true);
    });
  }

  it('is public where a secret could not be kept', () => {
    const methods = CLIENT_KINDS.map((kind) => usual(kind).authMethod);
    expect(methods).to.deep.equal(['client_secret_basic', 'none', 'none', 'client_secret_basic']);
  });

  it('lets a browser application call from where it is served, and nothing else', () => {
    expect(usual('spa').allowedOrigins).to.deep.equal(['https://shop.test', 'http://127.0.0.1:8080']);
    for (const kind of ['web', 'native', 'machine'] as const) expect(usual(kind).allowedOrigins).to.deep.equal([]);
  });

  it('has no user behind a machine', () => {
    expect(usual('machine')).to.deep.include({ grantTypes: ['client_credentials'], scopes: [] });
  });

  it('yields to whatever was given', () => {
    const given = {
      scopes: ['read'],
      authMethod: 'client_secret_post',
      allowedOrigins: [],
      requirePkce: false,
    } as const;
    expect(clientOfKind('web', { id: 'a', name: 'A', ...given })).to.deep.include(given);
  });

  it('authenticates with its keys when it has some', () => {
    const jwks = [{ kty: 'EC' }];
    expect(clientOfKind('machine', { id: 'a', name: 'A', jwks }).authMethod).to.equal('private_key_jwt');
  });
});
