import type { Config } from '../config/config.ts';

/** What to do next, printed once in development. */
export function welcome({ issuer, paths, demo }: Config): string {
  const head = `
  Gatehouse is ready.

  Issuer     ${issuer}
  Metadata   ${issuer}/.well-known/openid-configuration
`;
  if (!demo) return `${head}\n`;
  return `${head}
  Demonstration data (for development only)
  User       ada@example.com / correct horse battery staple
  Clients    demo-web (secret demo-web-secret), demo-spa and demo-native (public), demo-machine (secret demo-machine-secret),
             demo-jwt (private key in data/demo-jwt.jwk.json)
  API        demo-api: https://api.example.com (secret demo-api-secret; scopes read, write, admin)
  Gateway    demo-gateway (secret demo-gateway-secret) may use the provider keys of users

  Your first token:

  curl -u demo-machine:demo-machine-secret -d grant_type=client_credentials ${issuer}${paths.token}

  Is it valid? Ask as the API does:

  curl -u demo-api:demo-api-secret -d token=<the access_token> ${issuer}${paths.introspect}

  Your first API key, and the whole JSON API: ${issuer}/v1/docs

`;
}
