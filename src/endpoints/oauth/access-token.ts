import { type JWTPayload, jwtVerify } from 'jose';
import type { Client } from '../../domain/clients/client.ts';
import { type Confirmation, toClaim } from '../../domain/credentials/confirmation.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import type { LoadedSigningKey } from '../../domain/signing-keys/key-material.ts';
import type { KeySet } from '../../domain/signing-keys/key-set.ts';
import { signJwt } from '../../domain/signing-keys/sign-jwt.ts';
import type { BearerText } from '../../domain/tokens/bearer-text.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import { newSecret } from '../../kit/ids.ts';
import type { TokenCodec } from './token-codec.ts';

/** An access token for a client itself (RFC 6749 4.4): opaque and stored, or a JWT of RFC 9068 and not stored. */
export type IssueClientToken = (grant: {
  client: Client;
  resource: ResourceServer;
  scope: string;
  /** What whoever uses it has to prove; null for a bearer token. */
  confirmation: Confirmation | null;
}) => Promise<string>;

export function createClientTokenIssuer({
  issuer,
  keySet,
  tokens,
  codec,
  bearerText,
  clock,
}: {
  issuer: string;
  keySet: KeySet;
  bearerText: BearerText;
  tokens: Pick<TokenStore, 'insert'>;
  codec: TokenCodec;
  clock: Clock;
}): IssueClientToken {
  return async ({ client, resource, scope, confirmation }) => {
    const iat = clock.nowSeconds();
    const exp = iat + resource.accessTokenLifetimeSeconds;
    if (resource.accessTokenFormat === 'opaque') {
      const value = bearerText.make('gat_', newSecret());
      // The members of the confirmation stand beside the others, as the engine has them in its own tokens.
      const bound = confirmation ? toClaim(confirmation) : {};
      const payload = { kind: 'AccessToken', clientId: client.id, aud: resource.identifier, scope, iat, exp, ...bound };
      await tokens.insert(codec.encode('AccessToken', value, payload, resource.accessTokenLifetimeSeconds));
      return value;
    }
    return signJwt(keySet.signer('ES256'), 'at+jwt', {
      iss: issuer,
      sub: client.id,
      aud: resource.identifier,
      client_id: client.id,
      scope,
      iat,
      exp,
      jti: newSecret(),
      ...(confirmation ? { cnf: toClaim(confirmation) } : {}),
    });
  };
}

const UNKNOWN_KID_MS = 1000;

/** Verifies a JWT access token of this server. Null for anything else, whatever is wrong with it. */
export type VerifyAccessToken = (token: string) => Promise<JWTPayload | null>;

export function createAccessTokenVerifier({
  issuer,
  keySet,
  clock,
}: {
  issuer: string;
  keySet: KeySet;
  clock: Clock;
}): VerifyAccessToken {
  let lookedAtMs = 0;

  /** Asks the store for an unknown key, once a second at most: anyone can make up a kid. */
  async function lookAgain(kid: string): Promise<LoadedSigningKey | undefined> {
    if (clock.nowMs() - lookedAtMs < UNKNOWN_KID_MS) return undefined;
    lookedAtMs = clock.nowMs();
    await keySet.refresh();
    return keySet.byKid(kid);
  }

  return async (token) => {
    try {
      const { payload } = await jwtVerify(
        token,
        async ({ kid, alg }) => {
          if (kid === undefined) throw new Error('kid is missing');
          // Another process may have rotated just now.
          const key = keySet.byKid(kid) ?? (await lookAgain(kid));
          if (!key || key.algorithm !== alg) throw new Error('unknown key');
          return key.publicKey;
        },
        {
          issuer,
          typ: 'at+jwt',
          algorithms: ['ES256', 'RS256'],
          requiredClaims: ['exp', 'jti', 'sub', 'aud', 'client_id'],
          currentDate: new Date(clock.nowMs()),
        },
      );
      return payload;
    } catch {
      return null;
    }
  };
}
