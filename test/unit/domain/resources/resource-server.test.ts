import { expect } from 'chai';
import { isResourceIdentifier } from '../../../../src/domain/resources/resource-server.ts';

describe('the identifier of a resource server', () => {
  it('is an absolute URI without a fragment (RFC 8707)', () => {
    for (const value of [
      'https://api.example.com',
      'https://api.example.com/v1',
      'https://api.example.com:8443/v1?tenant=1',
      'http://localhost:3000',
      'urn:example:api',
      'api://notes',
    ])
      expect([value, isResourceIdentifier(value)]).to.deep.equal([value, true]);
    for (const value of [
      '',
      'api',
      '/v1',
      '//api.example.com',
      'https://',
      'https://api.example.com#x',
      'https://api.example.com/#',
      'https://api.example.com/ä',
      'https://api.example.com/a b',
      'https://api.example.com/\n',
      `https://api.example.com/${'x'.repeat(512)}`,
    ])
      expect([value, isResourceIdentifier(value)]).to.deep.equal([value, false]);
  });
});
