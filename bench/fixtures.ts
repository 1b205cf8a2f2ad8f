/** What both servers know, so that both answer the same requests. */
export const ISSUER = 'https://auth.bench.example';
export const OPAQUE_API = 'https://opaque.bench.example';
export const JWT_API = 'https://jwt.bench.example';
export const SCOPES: readonly string[] = ['read', 'write'];
export const CALLBACK = 'https://app.bench.example/callback';
export const PASSWORD = 'correct horse battery staple';

export interface Credentials {
  id: string;
  secret: string;
}

export interface Fixture {
  /** A client with the client credentials grant, for both resource servers. */
  machine: Credentials;
  /** The resource server with opaque tokens, as it introspects. */
  api: Credentials;
  /** A client with sign-in, consent and refresh tokens. */
  web: Credentials;
}

/** Every request comes through a proxy that ended TLS, as in production. */
export const PROXY_HEADERS: Readonly<Record<string, string>> = {
  Host: new URL(ISSUER).host,
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-For': '203.0.113.7',
};

export const FORM = 'application/x-www-form-urlencoded';
export const basic = ({ id, secret }: Credentials): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** The same request to both servers, whose paths differ. */
export const clientCredentials = (resource: string): string =>
  new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', resource }).toString();
