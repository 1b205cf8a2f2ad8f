import { curlSample } from './curl-sample.ts';
import type { Dialect } from './dialect.ts';
import { identityHeaders } from './identity-headers.ts';
import type { ErrorResponses } from './openapi-errors.ts';
import { headerName, type Security } from './openapi-security.ts';
import type { JsonSchema, OpenApiHeader, OpenApiOperation, OpenApiParameter, Reference } from './openapi-types.ts';

/** The question of a proxy, which no operation is: what it requires stands in the query, the answer in headers. */
export function describeForwardAuth({
  dialect,
  errors,
  security,
  issuer,
}: {
  dialect: Dialect;
  errors: ErrorResponses;
  security: Security;
  issuer: string;
}): OpenApiOperation {
  const [environment = 'live'] = Object.keys(dialect.keys.environments);
  const [scope = 'read'] = dialect.keys.defaultScopes;
  return {
    operationId: 'forwardAuth',
    tags: ['Verification'],
    summary: 'May this request pass?',
    description:
      'For nginx `auth_request`, Traefik ForwardAuth, Caddy `forward_auth` and Envoy `ext_authz`. The proxy passes on the headers of a request; 200 lets it through and says in headers whose it is, any other status is what to answer. Any method is taken and no body is read. Envoy appends the path of the request, and has the requirements in the header `X-Gatehouse-Require`, written like the query.',
    'x-access': 'A proxy, with the credential of whoever sent the request.',
    'x-codeSamples': [
      {
        lang: 'Shell',
        label: 'curl',
        source: curlSample({
          method: 'GET',
          url: `${issuer}/forward-auth`,
          query: [
            ['environment', environment],
            ['scope', scope],
          ],
          body: undefined,
          credential: { kind: 'bearer', variable: 'API_KEY' },
        }),
      },
    ],
    security: security.users,
    parameters: [
      query('environment', 'The environment it must be of.'),
      query('scope', 'A scope it must have; may be repeated.', LIST),
      query('audience', 'What a token must be for; may be repeated, and one of them is enough.', LIST),
      query('provider', 'A third-party provider whose key the answer is to hold.'),
      query(
        'mode',
        'For nginx, which passes on 401 and 403 only: every other refusal becomes 403, `X-Auth-Status` has the real status and `X-Auth-Error` the body.',
        { type: 'string', enum: ['nginx'] },
      ),
      header('X-Original-Method', 'With `mode=nginx`: the method of the request. Believed from a trusted proxy.'),
      header('X-Original-URI', 'With `mode=nginx`: its path and query. Believed from a trusted proxy.'),
      header('X-Forwarded-Method', 'Without: the method of the request. Believed from a trusted proxy.'),
      header('X-Forwarded-Uri', 'Without: its path and query. Believed from a trusted proxy.'),
      header('X-Gateway-Authorization', 'With `provider`: the credential of the proxy itself, a resource server.'),
      ...(dialect.credentials.providerKey?.headers ?? [])
        .filter((name) => name !== 'authorization')
        .map((name) =>
          header(headerName(name), 'A provider key that came with the request; it wins over a stored one.'),
        ),
    ],
    responses: {
      200: {
        description:
          'It may pass. Every identity header is there, empty when nothing is known: copy them all, over whatever the caller sent.',
        headers: answerHeaders(),
      },
      ...errors.of(
        ['invalid_request', 'unauthenticated', 'token_expired', 'insufficient_scope', 'rate_limit_exceeded'],
        dialect,
      ),
      default: { $ref: '#/components/responses/Anything-else' },
    },
  };
}

const IDENTITY: Readonly<Record<string, string>> = {
  'X-Auth-Subject': 'The account, or the client when it acts for itself.',
  'X-Auth-Subject-Type': '`user` or `client`.',
  'X-Auth-Client': 'The client a token was given to.',
  'X-Auth-Key-Id': 'The API key.',
  'X-Auth-Namespace': 'Where the data of this key is kept.',
  'X-Auth-Environment': 'The environment of the key.',
  'X-Auth-Scopes': 'Its scopes, with spaces between.',
  'X-Auth-Audience': 'What a token is for.',
  'X-Auth-Method': '`api_key`, `access_token`, `login` or `session`.',
};

function answerHeaders(): Record<string, OpenApiHeader | Reference> {
  const text = (description: string): OpenApiHeader => ({ description, schema: { type: 'string' } });
  const shared = (name: string): Reference => ({ $ref: `#/components/headers/${name}` });
  return {
    ...Object.fromEntries(
      Object.keys(identityHeaders(null)).map((name) => [name, text(IDENTITY[name] ?? 'About the caller.')]),
    ),
    'X-Auth-Status': text('The status, also where the proxy cannot pass it on.'),
    'X-Upstream-Authorization': text('With `provider`: what the provider expects in Authorization.'),
    'X-Upstream-Key': text('With `provider`: the bare key.'),
    'X-Upstream-Key-Source': text('With `provider`: `stored` or `passed-through`.'),
    'Cache-Control': shared('Cache-Control'),
    'RateLimit-Policy': shared('RateLimit-Policy'),
    RateLimit: shared('RateLimit'),
    'X-Api-Key-Replaced': shared('X-Api-Key-Replaced'),
  };
}

const LIST: JsonSchema = { type: 'array', items: { type: 'string' } };

const query = (name: string, description: string, schema: JsonSchema = { type: 'string' }): OpenApiParameter => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});

const header = (name: string, description: string): OpenApiParameter => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});
