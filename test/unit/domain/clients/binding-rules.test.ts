import { expect } from 'chai';
import type { Client } from '../../../../src/domain/clients/client.ts';
import { clientOfKind } from '../../../../src/domain/clients/client-kinds.ts';
import { clientProblems } from '../../../../src/domain/clients/client-rules.ts';

const THUMBPRINT = 'w6uP8Tcg6K2QR905Rms8iXTlksL6OD1KOWBxTK7wxPI';
const MACHINE: Client = {
  ...clientOfKind('machine', { id: 'meter', name: 'Meter' }),
  secrets: [],
  createdAt: 0,
  updatedAt: 0,
};
const problems = (change: Partial<Client>): string => clientProblems({ ...MACHINE, ...change }).join('; ');

describe('the rules for clients with certificates', () => {
  const TLS = { authMethod: 'self_signed_tls_client_auth', certificateThumbprints: [THUMBPRINT] } as const;

  it('accept one with the thumbprints of its certificates', () => {
    expect(problems(TLS)).to.equal('');
    expect(problems({ ...TLS, certificateThumbprints: Array<string>(20).fill(THUMBPRINT) })).to.equal('');
  });

  it('want SHA-256 thumbprints, some and not too many, and no secrets', () => {
    expect(problems({ ...TLS, certificateThumbprints: [] })).to.contain('needs at least one certificate');
    expect(problems({ ...TLS, certificateThumbprints: Array<string>(21).fill(THUMBPRINT) })).to.contain('at most 20');
    for (const wrong of ['', 'x', `${THUMBPRINT}=`, THUMBPRINT.slice(1), `${THUMBPRINT.slice(1)}+`, 'C3:AB:8F'])
      expect(problems({ ...TLS, certificateThumbprints: [THUMBPRINT, wrong] }), wrong).to.contain('43 characters');
    const secrets = [{ digest: 'x', createdAt: 0, expiresAt: null }];
    expect(problems({ ...TLS, secrets })).to.contain('uses certificates, not secrets');
  });

  it('want none where nothing looks at them', () => {
    for (const authMethod of ['client_secret_basic', 'client_secret_post', 'none'] as const)
      expect(problems({ ...TLS, authMethod })).to.contain('only self_signed_tls_client_auth uses certificates');
  });

  it('make certificates the way to authenticate when some are given', () => {
    const made = clientOfKind('machine', { id: 'meter', name: 'Meter', certificateThumbprints: [THUMBPRINT] });
    expect(made.authMethod).to.equal('self_signed_tls_client_auth');
  });
});

describe('the rules for clients whose tokens are bound', () => {
  it('accept both kinds of binding for a machine, however it authenticates', () => {
    for (const tokenBinding of ['dpop', 'mtls', null] as const) expect(problems({ tokenBinding })).to.equal('');
  });

  it('refuse a promise that another of its grants would break', () => {
    const redirectUris = ['https://meter.example/cb'];
    for (const grantTypes of [
      [],
      ['authorization_code'],
      ['authorization_code', 'refresh_token'],
      ['client_credentials', 'authorization_code'],
    ] as const)
      expect(problems({ grantTypes, redirectUris, tokenBinding: 'dpop' })).to.contain(
        'tokens of the authorization code and refresh grants cannot be bound yet',
      );
  });

  it('know no other kind', () => {
    expect(problems({ tokenBinding: 'pop' as never })).to.contain('tokenBinding: pop is none of dpop, mtls');
  });
});
