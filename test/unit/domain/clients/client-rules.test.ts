import { expect } from 'chai';
import type { Client } from '../../../../src/domain/clients/client.ts';
import { clientProblems, isScopeName, redirectUriProblem } from '../../../../src/domain/clients/client-rules.ts';

const WEB: Client = {
  id: 'notes',
  name: 'Notes',
  applicationType: 'web',
  authMethod: 'client_secret_basic',
  grantTypes: ['authorization_code', 'refresh_token'],
  redirectUris: ['https://notes.example/cb'],
  postLogoutRedirectUris: ['https://notes.example/bye'],
  scopes: ['openid', 'read'],
  resources: ['https://api.example.com'],
  allowedOrigins: ['https://notes.example'],
  requirePkce: true,
  jwks: [],
  secrets: [],
  certificateThumbprints: [],
  tokenBinding: null,
  ownerId: null,
  createdAt: 0,
  updatedAt: 0,
};
const problems = (change: Partial<Client>): string => clientProblems({ ...WEB, ...change }).join('; ');
/** Of the length that the curve has. */
const EC = { kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43) };

describe('the rules for redirect URIs', () => {
  const web = (uri: string) => redirectUriProblem(uri, { applicationType: 'web' });
  const native = (uri: string) => redirectUriProblem(uri, { applicationType: 'native' });

  it('accept https anywhere, and http on loopback alone', () => {
    for (const uri of [
      'https://notes.example/cb',
      'https://notes.example:8443/cb?x=1',
      'http://127.0.0.1/cb',
      'http://127.0.0.1:8080/cb',
      'http://[::1]/cb',
      'http://localhost:3000/',
    ])
      for (const check of [web, native]) expect([uri, check(uri)]).to.deep.equal([uri, null]);
    for (const uri of [
      'http://notes.example/cb',
      'http://127.0.0.2/',
      'http://localhost.example/',
      'http://0.0.0.0/',
      'http://192.168.0.1/',
      'http://127.0.0.1.evil.example/',
    ])
      for (const check of [web, native]) expect(check(uri), uri).to.contain('http is allowed for loopback');
  });

  it('accept a private-use scheme of native clients when it is a reversed domain name', () => {
    expect(native('com.example.app:/cb')).to.equal(null);
    expect(native('myapp:/cb')).to.contain('reversed domain name');
    expect(web('com.example.app:/cb')).to.contain('a web client needs https');
  });

  it('refuse what could run, read files or be read otherwise than it is written', () => {
    for (const uri of [
      'javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'about:blank',
      'blob:https://x/1',
      'ws://x',
      'wss://x',
      'ftp://x',
    ])
      for (const check of [web, native]) expect(check(uri), uri).to.be.a('string');
    for (const uri of [
      '',
      'notes',
      '/cb',
      '//notes.example/cb',
      'https://',
      'https://notes.example/cb#x',
      'https://notes.example/cb#',
      'https://*.example/cb',
      'https://notes.example/*',
      'https://user@notes.example/cb',
      'https://user:pw@notes.example/cb',
      'https://notes.example/c b',
      'https://notes.example/é',
      'https://notes.example/cb\n',
      `https://notes.example/${'x'.repeat(2048)}`,
      ' https://notes.example/cb',
    ])
      expect(web(uri), uri).to.be.a('string');
  });
});

describe('the rules for clients', () => {
  it('accept a usual client', () => {
    expect(problems({})).to.equal('');
    expect(
      problems({ grantTypes: [], redirectUris: [], postLogoutRedirectUris: [], scopes: [], resources: [] }),
    ).to.equal('');
    expect(problems({ authMethod: 'private_key_jwt', jwks: [EC] })).to.equal('');
  });

  it('want public keys that somebody can verify with, at no great cost', () => {
    const withKeys = (...jwks: Record<string, unknown>[]) =>
      problems({ authMethod: 'private_key_jwt', jwks: jwks as never });
    const rsa = (bytes: number, e = 'AQAB') => ({ kty: 'RSA', n: Buffer.alloc(bytes, 1).toString('base64url'), e });
    expect(withKeys(rsa(256))).to.equal('');
    expect(withKeys({ kty: 'OKP', crv: 'Ed25519', x: 'x'.repeat(43) })).to.equal('');
    for (const bad of [
      rsa(255),
      rsa(513),
      rsa(256, Buffer.alloc(5, 1).toString('base64url')),
      { ...EC, crv: 'P-192' },
      { ...EC, x: 'x' },
      { kty: 'EC' },
      { ...EC, alg: 'HS256' },
      { kty: 'oct' },
    ]) {
      expect(withKeys(bad), JSON.stringify(bad).slice(0, 80)).to.contain('jwks: ');
    }
    expect(withKeys(...Array.from({ length: 6 }, () => EC))).to.contain('at most 5');
  });

  it('want an id and a name that fit, and no id that looks like a person', () => {
    for (const id of ['', 'a b', 'a/b', 'ä', 'x'.repeat(65), 'a:b', '<x>', 'https://x'])
      expect(problems({ id }), id).to.contain('id:');
    expect(problems({ id: 'acc_1WNq8OB99aNVRyhJNPWdyF' })).to.contain('account');
    for (const name of ['', '  ', 'x'.repeat(121)]) expect(problems({ name })).to.contain('name:');
  });

  it('tie redirect URIs to the code grant, and refresh to code', () => {
    expect(problems({ redirectUris: [] })).to.contain('redirectUris: the authorization code grant needs');
    expect(problems({ grantTypes: ['client_credentials'] })).to.contain(
      'redirectUris: only the authorization code grant',
    );
    expect(problems({ grantTypes: ['refresh_token'], redirectUris: [] })).to.contain('refresh_token comes with');
  });

  it('check every redirect URI, those after sign-out too', () => {
    const bad = 'http://notes.example/';
    expect(problems({ redirectUris: ['https://notes.example/cb', bad] })).to.contain(`redirectUris: ${bad}`);
    expect(problems({ postLogoutRedirectUris: [bad] })).to.contain(`postLogoutRedirectUris: ${bad}`);
  });

  it('keep from public clients what only a secret makes safe', () => {
    const spa = { authMethod: 'none' } as const;
    expect(problems(spa)).to.equal('');
    expect(problems({ ...spa, requirePkce: false })).to.contain('PKCE can be waived for confidential clients only');
    expect(problems({ ...spa, grantTypes: ['client_credentials'], redirectUris: [] })).to.contain('client_credentials');
    expect(problems({ ...spa, secrets: [{ digest: 'x', createdAt: 0, expiresAt: null }] })).to.contain('secrets:');
    expect(problems({ requirePkce: false })).to.equal('');
  });

  it('want public, strong, asymmetric keys, where keys are used', () => {
    const keyed = (jwks: Client['jwks']) => problems({ authMethod: 'private_key_jwt', jwks });
    expect(keyed([])).to.contain('needs at least one public key');
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'])
      expect(keyed([{ ...EC, [member]: 'x' }]), member).to.contain('public key only');
    expect(keyed([{ kty: 'oct', k: 'x' }])).to.contain('oct');
    expect(keyed([{ kty: 'RSA', n: Buffer.alloc(255, 1).toString('base64url'), e: 'AQAB' }])).to.contain('2048');
    expect(keyed([{ kty: 'RSA', n: Buffer.alloc(256, 1).toString('base64url'), e: 'AQAB' }])).to.equal('');
    expect(problems({ jwks: [EC] })).to.contain('only private_key_jwt uses keys');
    expect(
      problems({
        authMethod: 'private_key_jwt',
        jwks: [EC],
        secrets: [{ digest: 'x', createdAt: 0, expiresAt: null }],
      }),
    ).to.contain('secrets:');
  });

  it('want origins that are origins', () => {
    for (const origin of [
      'https://notes.example/',
      'https://notes.example/app',
      'notes.example',
      '*',
      'null',
      'https://NOTES.example',
      'https://notes.example:443',
      '',
    ])
      expect(problems({ allowedOrigins: [origin] }), origin).to.contain('allowedOrigins');
    expect(problems({ allowedOrigins: ['http://localhost:3000', 'https://notes.example:8443'] })).to.equal('');
  });

  it('want scopes that are scope names', () => {
    for (const scope of ['', 'a b', 'a"b', 'a\\b', 'é', 'x'.repeat(129), 'a\n']) {
      expect(isScopeName(scope), scope).to.equal(false);
      expect(problems({ scopes: [scope] }), scope).to.contain('scopes:');
    }
    for (const scope of ['read', 'read:all', 'https://api.example/read', "it's", '~', 'x'.repeat(128)])
      expect(isScopeName(scope), scope).to.equal(true);
  });

  it('name everything that is wrong at once', () => {
    const all = clientProblems({ ...WEB, id: '', name: '', redirectUris: ['x'], allowedOrigins: ['x'], scopes: [''] });
    expect(all.length).to.be.at.least(5);
  });
});
