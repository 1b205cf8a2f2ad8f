import type { Client } from '../../domain/clients/client.ts';
import { type Confirmation, toClaim } from '../../domain/credentials/confirmation.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
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
