import { expect } from 'chai';
import * as oauth from 'oauth4webapi';
import { createBindingCheck } from '../../../src/domain/credentials/proof/check-binding.ts';
import { createDpopNonces } from '../../../src/domain/credentials/proof/nonces.ts';
import { createDpopProofVerifier } from '../../../src/domain/credentials/proof/verify-proof.ts';
import { parallel } from '../../conformance/parallel.ts';
import {
  assertion,
  claimsOf,
  createClient,
  createResource,
  introspect,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { createProofKeys, type ProofChange, type ProofKeys, proofFor } from '../../support/dpop.ts';
import { createTestClock, type Harness, type Reply, startHarness, type TestClock } from '../../support/harness.ts';

const ORIGIN = 'https://app.example.com';

describe('tokens bound to a key (DPoP)', () => {
  let harness: Harness;
  let clock: TestClock;
  let keys: ProofKeys;
  let opaque: { identifier: string; api: TestClient };
  let jwt: { identifier: string; api: TestClient };
  /** May send a proof. */
  let free: TestClient;
  /** Has to. */
  let bound: TestClient;
  before(async () => {
    clock = createTestClock();
    harness = await startHarness({ clock });
    keys = await createProofKeys();
    opaque = await createResource(harness);
    jwt = await createResource(harness, { accessTokenFormat: 'jwt' });
    const machine = {
      grantTypes: ['client_credentials'],
      resources: [opaque.identifier, jwt.identifier],
      allowedOrigins: [ORIGIN],
    } as const;
    free = await createClient(harness, machine);
    bound = await createClient(harness, { ...machine, tokenBinding: 'dpop' });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const proof = (change: ProofChange = {}, by = keys): Promise<string> =>
    proofFor(harness.url('/oauth2/token'), by, { ...change, claims: { iat: clock.nowSeconds(), ...change.claims } });
  const ask = (client: TestClient, headers: object = {}, resource = jwt.identifier): Promise<Reply> =>
    token(harness, client, { grant_type: 'client_credentials', scope: 'read', resource }, headers);
  const outcome = ({ status, json }: Reply): string =>
    status === 200 ? json().token_type : `${status} ${json().error}`;
  const nonceOf = (reply: Reply): string => String(reply.headers['dpop-nonce']);
  const REFUSED = '400 invalid_dpop_proof';

  it('say so: in the answer, in the JWT and in introspection', async () => {
    const reply = await ask(free, { dpop: await proof() });
    const { access_token: accessToken, ...rest } = reply.json();
    expect(rest).to.deep.equal({ token_type: 'DPoP', expires_in: 900, scope: 'read' });
    expect(claimsOf(accessToken).cnf).to.deep.equal({ jkt: keys.jkt });
    const facts = (await introspect(harness, jwt.api, accessToken)).json();
    expect(facts).to.deep.include({ active: true, token_type: 'DPoP', cnf: { jkt: keys.jkt } });
  });

  it('say so in introspection when they are opaque', async () => {
    const { access_token: accessToken, token_type: type } = (
      await ask(free, { dpop: await proof() }, opaque.identifier)
    ).json();
    expect([type, accessToken.slice(0, 4)]).to.deep.equal(['DPoP', 'gat_']);
    const facts = (await introspect(harness, opaque.api, accessToken)).json();
    expect(facts).to.deep.include({ active: true, token_type: 'DPoP', cnf: { jkt: keys.jkt } });
  });

  it('are for whoever sends a proof; everybody else gets bearer tokens', async () => {
    for (const { identifier, api } of [jwt, opaque]) {
      const reply = await ask(free, {}, identifier);
      expect([outcome(reply), reply.headers['dpop-nonce']]).to.deep.equal(['Bearer', undefined]);
      const facts = (await introspect(harness, api, reply.json().access_token)).json();
      expect([facts.token_type, facts.cnf]).to.deep.equal(['Bearer', undefined]);
    }
  });

  it('need a proof made for the token endpoint, now', async () => {
    for (const change of [
      { method: 'GET' },
      { claims: { htu: harness.url('/oauth2/introspect') } },
      { claims: { htu: 'https://evil.example/oauth2/token' } },
      { claims: { iat: clock.nowSeconds() - 90 } },
      { claims: { iat: clock.nowSeconds() + 30 } },
      { header: { jwk: keys.privateJwk } },
      { header: { typ: 'JWT' } },
      { signWith: (await createProofKeys()).privateKey },
    ] as ProofChange[])
      expect([change, outcome(await ask(free, { dpop: await proof(change) }))]).to.deep.equal([change, REFUSED]);
    expect(outcome(await ask(free, { dpop: '' }))).to.equal(REFUSED);
  });

  it('need exactly one proof', async () => {
    const [first, second] = [await proof(), await proof()];
    for (const dpop of [[first, second], [first, first], [first, ''], `${first}, ${second}`])
      expect(outcome(await ask(free, { dpop }))).to.equal(REFUSED);
    expect(outcome(await ask(free, { dpop: first }))).to.equal('DPoP');
  });

  it('are refused without quoting the proof', async () => {
    const reply = await ask(free, { dpop: await proof({ claims: { htm: 'quoted-htm', htu: 'https://quoted-htu' } }) });
    expect(outcome(reply)).to.equal(REFUSED);
    expect(reply.json().error_description).to.equal('the DPoP proof is not accepted: other method');
  });

  describe('take a proof once', () => {
    it('in a race of 50', async () => {
      const dpop = await proof();
      const outcomes = (await parallel(50, () => ask(free, { dpop }))).map(outcome);
      expect(outcomes.filter((each) => each === 'DPoP')).to.have.length(1);
      expect(outcomes.filter((each) => each === REFUSED)).to.have.length(49);
    });

    it('whichever client sends it, until it is too old anyway', async () => {
      const dpop = await proof({ claims: { iat: clock.nowSeconds() } });
      expect(outcome(await ask(free, { dpop }))).to.equal('DPoP');
      expect(outcome(await ask(free, { dpop }))).to.equal(REFUSED);
      const other = await createClient(harness, { grantTypes: ['client_credentials'], resources: [jwt.identifier] });
      expect(outcome(await ask(other, { dpop }))).to.equal(REFUSED);
      const later = async (seconds: number): Promise<string> => {
        clock.advance(seconds);
        await harness.services.stores.tokens.purge(clock.nowSeconds(), 1000);
        return (await ask(free, { dpop })).json().error_description;
      };
      expect(await later(58)).to.contain('used before');
      expect(await later(3)).to.contain('outside its time');
    });

    it('by its key and jti: another key may use the same jti, and a proof refused for something else has not used it', async () => {
      const claims = { jti: 'the-same' };
      expect(outcome(await ask(free, { dpop: await proof({ method: 'PUT', claims }) }))).to.equal(REFUSED);
      expect(outcome(await ask(free, { dpop: await proof({ claims }) }))).to.equal('DPoP');
      expect(outcome(await ask(free, { dpop: await proof({ claims }, await createProofKeys()) }))).to.equal('DPoP');
      expect(outcome(await ask(free, { dpop: await proof({ claims }) }))).to.equal(REFUSED);
    });

    it('and no client assertion with its jti uses it up', async () => {
      const signer = await createClient(harness, {
        // The worst id a client could be given.
        id: keys.jkt,
        authMethod: 'private_key_jwt',
        grantTypes: ['client_credentials'],
        resources: [jwt.identifier],
      });
      const jti = 'shared-jti';
      const send = async () =>
        harness.post(
          '/oauth2/token',
          {
            grant_type: 'client_credentials',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: await assertion(harness, signer, {
              claims: { jti, iat: undefined, exp: clock.nowSeconds() + 60 },
            }),
          },
          { dpop: await proof({ claims: { jti } }) },
        );
      expect(outcome(await send())).to.equal('DPoP');
    });
  });

  describe('for a client that has to have them', () => {
    it('need a proof', async () => {
      const reply = await ask(bound);
      expect(outcome(reply)).to.equal('400 invalid_request');
      expect(nonceOf(reply)).to.match(/^[\w-]{43}$/);
    });

    it('need the nonce of the server, which comes with the refusal and with every success', async () => {
      const first = await ask(bound, { dpop: await proof() });
      expect(outcome(first)).to.equal('400 use_dpop_nonce');
      const second = await ask(bound, { dpop: await proof({ claims: { nonce: nonceOf(first) } }) });
      expect([outcome(second), nonceOf(second)]).to.deep.equal(['DPoP', nonceOf(first)]);
      clock.advance(120);
      const third = await ask(bound, { dpop: await proof({ claims: { nonce: nonceOf(second) } }) });
      expect(outcome(third), 'the nonce before the current one').to.equal('DPoP');
      expect(nonceOf(third)).to.not.equal(nonceOf(second));
      clock.advance(120);
      const late = await ask(bound, { dpop: await proof({ claims: { nonce: nonceOf(second) } }) });
      expect(outcome(late)).to.equal('400 use_dpop_nonce');
      expect(outcome(await ask(bound, { dpop: await proof({ claims: { nonce: nonceOf(late) } }) }))).to.equal('DPoP');
    });

    it('take no nonce the server did not give', async () => {
      for (const nonce of ['', 'x', 'A'.repeat(43), 7, null]) {
        const reply = await ask(bound, { dpop: await proof({ claims: { nonce } }) });
        expect([nonce, outcome(reply)]).to.deep.equal([nonce, '400 use_dpop_nonce']);
      }
      // A nonce that is there counts for everybody.
      expect(outcome(await ask(free, { dpop: await proof({ claims: { nonce: 'old' } }) }))).to.equal(
        '400 use_dpop_nonce',
      );
    });

    it('take the nonce of any process, stopped meanwhile or a little ahead', async () => {
      const nonces = (seconds: number) =>
        createDpopNonces({
          digester: harness.services.digester,
          clock: { nowMs: clock.nowMs, nowSeconds: () => clock.nowSeconds() + seconds },
        });
      for (const seconds of [0, 120, -120]) {
        const nonce = nonces(seconds).current();
        expect([seconds, outcome(await ask(bound, { dpop: await proof({ claims: { nonce } }) }))]).to.deep.equal([
          seconds,
          'DPoP',
        ]);
      }
      for (const seconds of [-240, 240]) {
        const nonce = nonces(seconds).current();
        expect(outcome(await ask(bound, { dpop: await proof({ claims: { nonce } }) }))).to.equal('400 use_dpop_nonce');
      }
    });

    it('are refused before the proof counts when the client does not authenticate', async () => {
      const dpop = await proof();
      const wrong = { ...bound, secret: 'wrong' };
      const reply = await ask(wrong, { dpop });
      expect([outcome(reply), reply.headers['dpop-nonce']]).to.deep.equal(['401 invalid_client', undefined]);
      expect(outcome(await ask(free, { dpop }))).to.equal('DPoP');
    });

    it('are not promised for grants that could not keep it', async () => {
      for (const grantTypes of [
        ['authorization_code'],
        ['authorization_code', 'refresh_token', 'client_credentials'],
        [],
      ] as const) {
        const refused = await createClient(harness, { grantTypes, tokenBinding: 'dpop' }).catch((error) => error);
        expect(refused.public).to.contain('tokenBinding: needs the client_credentials grant and no other');
      }
    });
  });

  it('can be had by scripts of an origin the client registered', async () => {
    const preflight = await harness.send('/oauth2/token', {
      method: 'OPTIONS',
      headers: { origin: ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'dpop' },
    });
    expect(preflight.headers['access-control-allow-headers']).to.match(/\bDPoP\b/);
    for (const dpop of [await proof(), await proof({ method: 'GET' })]) {
      const reply = await ask(bound, { dpop, origin: ORIGIN });
      expect(reply.status).to.equal(400);
      expect(reply.headers['access-control-expose-headers']).to.match(/\bDPoP-Nonce\b/);
    }
  });

  it('are in the metadata, with the algorithms of proofs', async () => {
    const metadata = (await harness.get('/.well-known/oauth-authorization-server')).json();
    expect(metadata.dpop_signing_alg_values_supported).to.have.members(['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256']);
  });

  it('are what a client library gets, nonce and all', async () => {
    await using real = await startHarness();
    const { api, identifier } = await createResource(real);
    const machine = await createClient(real, {
      grantTypes: ['client_credentials'],
      resources: [identifier],
      tokenBinding: 'dpop',
    });
    const options = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(real.issuer);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
    const client: oauth.Client = { client_id: machine.id };
    for (const alg of ['ES256', 'EdDSA', 'RS256', 'PS256']) {
      const pair = await oauth.generateKeyPair(alg === 'EdDSA' ? 'Ed25519' : alg);
      const DPoP = oauth.DPoP(client, pair);
      const request = async () => {
        const response = await oauth.clientCredentialsGrantRequest(
          as,
          client,
          oauth.ClientSecretBasic(machine.secret ?? ''),
          { scope: 'read' },
          { ...options, DPoP },
        );
        return oauth.processClientCredentialsResponse(as, client, response);
      };
      const refused = await request().catch((error) => error);
      expect([alg, oauth.isDPoPNonceError(refused)]).to.deep.equal([alg, true]);
      const tokens = await request();
      expect([alg, tokens.token_type]).to.deep.equal([alg, 'dpop']);
      const facts = (await introspect(real, api, tokens.access_token)).json();
      expect(facts.cnf).to.deep.equal({ jkt: await DPoP.calculateThumbprint() });
      // The nonce is known now.
      expect((await request()).token_type).to.equal('dpop');
      real.keepSecret(tokens.access_token);
    }
  });

  it('say at the verify endpoint who they are, to whoever proves to hold their key, and to nobody else', async () => {
    const reply = await ask(free, { dpop: await proof() });
    const accessToken = reply.json().access_token;
    const url = harness.url('/v1/auth/verify');
    const verify = async (scheme: string, change?: ProofChange, by = keys): Promise<number> => {
      const fresh = { accessToken, ...change, claims: { iat: clock.nowSeconds(), ...change?.claims } };
      const dpop: Record<string, string> = change ? { dpop: await proofFor(url, by, { method: 'GET', ...fresh }) } : {};
      return (await harness.get(url, { authorization: `${scheme} ${accessToken}`, ...dpop })).status;
    };
    expect(await verify('DPoP', {})).to.equal(200);
    expect(await verify('Bearer')).to.equal(401);
    expect(await verify('Bearer', {})).to.equal(401);
    expect(await verify('DPoP')).to.equal(401);
    expect(await verify('DPoP', {}, await createProofKeys())).to.equal(401);
    expect(await verify('DPoP', { claims: { ath: undefined } })).to.equal(401);
    expect(await verify('DPoP', { claims: { jti: 'used' } })).to.equal(200);
    expect(await verify('DPoP', { claims: { jti: 'used' } })).to.equal(401);
  });

  describe('at a resource server', () => {
    const URL_ = 'https://api.example.com/v1/things?page=2';
    const accessToken = 'gat_of-some-request';

    const makeCheck = () => {
      const { digester, stores } = harness.services;
      return createBindingCheck({ verifyProof: createDpopProofVerifier({ tokens: stores.tokens, digester, clock }) });
    };
    const proofHere = (change: ProofChange = {}, by = keys) =>
      proofFor(URL_, by, {
        method: 'GET',
        accessToken,
        ...change,
        claims: { iat: clock.nowSeconds(), ...change.claims },
      });
    type Given = Partial<Parameters<ReturnType<typeof makeCheck>>[0]>;
    const check = (given: Given) =>
      makeCheck()({
        confirmation: { jkt: keys.jkt },
        scheme: 'dpop',
        proof: null,
        method: 'GET',
        url: URL_,
        accessToken,
        certificateThumbprint: null,
        ...given,
      });

    it('work with a proof of their key that names them', async () => {
      expect(await check({ proof: await proofHere() })).to.equal(null);
      expect(await check({ proof: await proofHere({ claims: { nonce: 'of the resource server' } }) })).to.equal(null);
    });

    it('are refused as bearer tokens, with a proof too', async () => {
      expect(await check({ scheme: 'bearer' })).to.equal('bound token sent as bearer');
      expect(await check({ scheme: 'bearer', proof: await proofHere() })).to.equal('bound token sent as bearer');
    });

    it('are refused without a proof, or with one of another key, token, method, URL or time', async () => {
      expect(await check({})).to.equal('no proof');
      expect(await check({ proof: [await proofHere(), await proofHere()] })).to.equal('more than one proof');
      expect(await check({ proof: await proofHere({}, await createProofKeys()) })).to.equal('other key');
      expect(await check({ proof: await proofHere({ accessToken: 'gat_other' }) })).to.equal('other access token');
      expect(await check({ proof: await proofHere({ claims: { ath: undefined } }) })).to.equal('other access token');
      expect(await check({ proof: await proofHere(), method: 'DELETE' })).to.equal('other method');
      expect(await check({ proof: await proofHere(), url: 'https://api.example.com/v1/others' })).to.equal('other URI');
      expect(await check({ proof: await proofHere({ claims: { iat: clock.nowSeconds() - 61 } }) })).to.equal(
        'outside its time',
      );
    });

    it('take a proof once in a race of 50', async () => {
      const once = await proofHere();
      const results = await parallel(50, () => check({ proof: once }));
      expect(results.filter((result) => result === null)).to.have.length(1);
      expect(results.filter((result) => result === 'used before')).to.have.length(49);
    });

    it('are not used up by proofs of other keys', async () => {
      const stranger = await createProofKeys();
      const theirs = await proofHere({}, stranger);
      expect(await check({ proof: theirs })).to.equal('other key');
      expect(await check({ proof: theirs, confirmation: { jkt: stranger.jkt } })).to.equal(null);
    });

    it('are told apart from those that are not bound', async () => {
      expect(await check({ confirmation: null, scheme: 'bearer' })).to.equal(null);
      expect(await check({ confirmation: null, proof: await proofHere() })).to.equal('unbound token sent with a proof');
      expect(await check({ confirmation: {}, scheme: 'bearer' })).to.equal('unknown kind of binding');
    });

    it('that are bound to a certificate need it', async () => {
      const [own, other] = ['a'.repeat(43), 'b'.repeat(43)];
      const bearer = { confirmation: { x5tS256: own }, scheme: 'bearer' } as const;
      expect(await check({ ...bearer, certificateThumbprint: own })).to.equal(null);
      expect(await check({ ...bearer, certificateThumbprint: other })).to.equal('other client certificate');
      expect(await check(bearer)).to.equal('no client certificate');
      const both = { confirmation: { jkt: keys.jkt, x5tS256: own } };
      expect(await check({ ...both, proof: await proofHere() })).to.equal('no client certificate');
      expect(await check({ ...both, certificateThumbprint: own })).to.equal('no proof');
      expect(await check({ ...both, certificateThumbprint: own, proof: await proofHere() })).to.equal(null);
    });
  });
});
