import { ERROR_CODES } from '../../kit/error-codes.ts';
import type { Dialect, Method } from './dialect.ts';
import { ANYWHERE, createErrorResponses } from './openapi-errors.ts';
import { createExamples } from './openapi-examples.ts';
import { describeForwardAuth } from './openapi-forward-auth.ts';
import { type ApiRoute, createDescribeRoute } from './openapi-operation.ts';
import { createSchemaWriter } from './openapi-schemas.ts';
import { createSecurity } from './openapi-security.ts';
import type { OpenApiDocument, OpenApiHeader } from './openapi-types.ts';

/**
 * The JSON API as an OpenAPI 3.1 document: every route of the dialects, made from the schemas that check what goes in and out.
 *
 * @param options.dialects the product's own first, the canonical one last
 */
export function createOpenApiDocument({
  dialects,
  issuer,
  version,
}: {
  dialects: readonly [Dialect, ...Dialect[]];
  issuer: string;
  version: string;
}): OpenApiDocument {
  const [dialect] = dialects;
  const { manageScope } = dialect;
  const schemas = createSchemaWriter();
  const security = createSecurity({ places: dialect.credentials, manageScope, https: issuer.startsWith('https:') });
  const components: OpenApiDocument['components'] = {
    schemas: schemas.components,
    responses: {},
    parameters: {
      'Idempotency-Key': {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description:
          'A value of your choice. The same request sent again under it gets the same answer and is done once.',
        schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
      },
    },
    headers: { ...HEADERS, ...(dialect.legacyRateLimitHeaders ? LEGACY_HEADERS : {}) },
    examples: {},
    securitySchemes: security.schemes,
  };
  const errors = createErrorResponses({ components, manageScope });
  const describe = createDescribeRoute({
    schemas,
    examples: createExamples(dialect),
    errors,
    security,
    manageScope,
    issuer,
    legacyRateLimitHeaders: dialect.legacyRateLimitHeaders ?? false,
  });

  const paths: OpenApiDocument['paths'] = {};
  const taken = new Map<string, Method>();
  for (const route of listRoutes(dialects)) {
    const operationId = freeId(route, taken);
    taken.set(operationId, route.method);
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describe(route, operationId) };
  }
  paths['/forward-auth'] = { get: describeForwardAuth({ dialect, errors, security, issuer }) };
  const [anythingElse] = Object.values(errors.of(['server_error'], dialect));
  components.responses['Anything-else'] = {
    ...anythingElse,
    description: ANYWHERE.map((code) => `${ERROR_CODES[code].status}: ${ERROR_CODES[code].title}.`).join(' '),
  };

  return {
    openapi: '3.1.0',
    info: {
      title: /\bAPI$/.test(dialect.title) ? dialect.title : `${dialect.title} API`,
      version,
      description: `${dialect.title}: API keys, sign-in, provider keys and usage, and one way to check any credential.`,
      'x-scopes': dialect.scopes.map(({ name, description, includes }) => ({
        name,
        description,
        ...(includes ? { includes } : {}),
      })),
    },
    servers: [{ url: issuer }],
    tags: TAGS,
    paths,
    components,
  };
}

/** As route-table.ts puts them together: of two routes that answer the same request the first dialect's counts. */
export function listRoutes(dialects: readonly Dialect[]): ApiRoute[] {
  const paths = new Map<string, string>();
  const routes = new Map<string, ApiRoute>();
  for (const dialect of dialects) {
    for (const [key, route] of Object.entries(dialect.routes)) {
      const [method, ownPath = ''] = key.split(' ') as [Method, string];
      const shape = ownPath.replaceAll(/\{[^}]+\}/g, '{}');
      const path = paths.get(shape) ?? ownPath;
      paths.set(shape, path);
      if (!routes.has(`${method} ${shape}`)) routes.set(`${method} ${shape}`, { method, path, route, dialect });
    }
  }
  return [...routes.values()];
}

/** The name of the operation; where several routes lead to it, the others say how they differ. */
function freeId({ route, method }: ApiRoute, taken: ReadonlyMap<string, Method>): string {
  const name = route.operation;
  const first = taken.get(name);
  if (first === undefined) return name;
  const by = `By${method.charAt(0)}${method.slice(1).toLowerCase()}`;
  const better = first === method ? `canonical${name.charAt(0).toUpperCase()}${name.slice(1)}` : name + by;
  let id = better;
  for (let count = 2; taken.has(id); count += 1) id = `${better}${count}`;
  return id;
}

const TAGS: OpenApiDocument['tags'] = [
  { name: 'Authentication', description: 'Accounts, sign-in and sessions.' },
  { name: 'Verification', description: 'Whose credential is this, and may they?' },
  { name: 'API keys', description: 'Long-lived credentials for programs.' },
  { name: 'Provider keys', description: 'A user’s own keys for third-party providers, kept safe and used for them.' },
  { name: 'Usage', description: 'What the keys were used for.' },
  { name: 'Clients', description: 'Programs that get tokens for themselves by client credentials.' },
];

const text = (description: string): OpenApiHeader => ({ description, schema: { type: 'string' } });
const seconds = (description: string): OpenApiHeader => ({ description, schema: { type: 'integer', minimum: 0 } });

const HEADERS: Record<string, OpenApiHeader> = {
  'RateLimit-Policy': text(
    'Every limit that applied: its name, quota `q` and window `w` in seconds, the strictest first.',
  ),
  RateLimit: text('What is left of each: requests `r`, and `t` seconds until there are more.'),
  'Retry-After': seconds('Seconds to wait before the next try.'),
  'WWW-Authenticate': text('What kind of credential is wanted, and what was wrong with the one that came (RFC 6750).'),
  'Cache-Control': text('`private, max-age=…`: for how many seconds the answer may be believed without asking again.'),
  'X-Api-Key-Replaced': text('The key was rotated and this is the secret before; until when it works.'),
  'Set-Cookie': text('With `mode: "cookies"`: the tokens, in place of the members of the answer.'),
};

const LEGACY_HEADERS: Record<string, OpenApiHeader> = {
  'X-RateLimit-Limit': seconds('The quota of the strictest limit.'),
  'X-RateLimit-Remaining': seconds('What is left of it.'),
  'X-RateLimit-Reset': seconds('When it starts anew, in seconds since 1970.'),
};
