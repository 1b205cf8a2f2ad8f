import { curlSample, type SampleCredential } from './curl-sample.ts';
import type { Dialect, DialectRoute, Method } from './dialect.ts';
import { type ErrorResponses, errorsOf } from './openapi-errors.ts';
import type { Examples } from './openapi-examples.ts';
import type { SchemaWriter } from './openapi-schemas.ts';
import { accessText, type Security } from './openapi-security.ts';
import type { JsonSchema, OpenApiOperation, OpenApiParameter, OpenApiResponse, Reference } from './openapi-types.ts';
import { OPERATIONS } from './operations.ts';

/** One route as it can be called. */
export interface ApiRoute {
  method: Method;
  /** `/v1/api-keys/{id}` */
  path: string;
  route: DialectRoute;
  dialect: Dialect;
}

const WITH_BODY: readonly Method[] = ['POST', 'PUT', 'PATCH'];
const LEGACY_RATE_LIMIT_HEADERS = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'];
/** Must never stand in a URL, which ends up in logs. */
const NEVER_IN_QUERY = new Set(['credential']);
const IN_QUERY = new Set(['string', 'integer', 'number']);

export function createDescribeRoute({
  schemas,
  examples,
  errors,
  security,
  manageScope,
  issuer,
  legacyRateLimitHeaders,
}: {
  schemas: SchemaWriter;
  examples: Examples;
  errors: ErrorResponses;
  security: Security;
  manageScope: string;
  issuer: string;
  legacyRateLimitHeaders: boolean;
}): (route: ApiRoute, operationId: string) => OpenApiOperation {
  return ({ method, path, route, dialect }, operationId) => {
    const name = route.operation;
    const operation = OPERATIONS[name];
    const { access, summary, tag } = operation;
    const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, parameter = '']) => parameter);
    const { schema, theirName } = requestSchema(schemas.input(operation.input), route, inPath);
    const hasBody = WITH_BODY.includes(method);
    const idempotent = 'idempotent' in operation;

    const queried = hasBody
      ? []
      : Object.entries(schema.properties ?? {}).flatMap(([member, its]): [string, JsonSchema][] => {
          const plain = NEVER_IN_QUERY.has(member) ? undefined : inQuery(its);
          return plain ? [[member, plain]] : [];
        });
    const parameters = [
      ...inPath.map((parameter) => pathParameter(parameter)),
      ...queried.map(([member, its]) => queryParameter(member, its, schema.required?.includes(member) ?? false)),
      ...(idempotent ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : []),
    ];
    const members = hasBody ? Object.keys(schema.properties ?? {}) : [];
    const sent = Object.entries(examples.request(name)).flatMap(([ours, value]): [string, unknown][] => {
      const theirs = theirName(ours);
      return members.includes(theirs) || queried.some(([member]) => member === theirs) ? [[theirs, value]] : [];
    });
    const required = (schema.required?.length ?? 0) > 0;
    const body = hasBody && sent.length > 0 ? Object.fromEntries(sent) : undefined;
    // A credential that is asked about may stand in the body.
    const inBody = name === 'verify' && hasBody ? [{}] : [];
    const ofSecurity = [...security.of(name, access), ...inBody];

    return {
      operationId,
      tags: [tag],
      summary,
      ...('description' in operation ? { description: operation.description } : {}),
      'x-access': accessText(name, access, manageScope),
      'x-codeSamples': [
        {
          lang: 'Shell',
          label: 'curl',
          source: curlSample({
            method,
            url: issuer + path.replaceAll(/\{([^}]+)\}/g, (_, parameter) => String(examples.request(name)[parameter])),
            query: hasBody ? [] : sent,
            body,
            credential: sampleCredential(ofSecurity),
          }),
        },
      ],
      security: ofSecurity,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(members.length > 0 ? { requestBody: requestBody(schema, body, required, dialect) } : {}),
      responses: {
        [String(route.status ?? operation.status)]: success(route, operation.status),
        ...errors.of(errorsOf(name, access, inPath.length > 0), dialect),
        default: { $ref: '#/components/responses/Anything-else' },
      },
    };
  };

  function success(route: DialectRoute, usualStatus: number): OpenApiResponse {
    const name = route.operation;
    const status = route.status ?? usualStatus;
    const headers = successHeaders(route, legacyRateLimitHeaders);
    const withHeaders = Object.keys(headers).length > 0 ? { headers } : {};
    const output = schemas.output(OPERATIONS[name].output);
    if (output.type === 'null') return { description: 'Done. The answer is empty.', ...withHeaders };
    const description = status === 201 ? 'Created.' : 'The answer.';
    const ours = examples.of(output, schemas.components);
    if (!route.answer) {
      return { description, ...withHeaders, content: { 'application/json': { schema: output, example: ours } } };
    }
    const example = answerExample(route.answer as (output: unknown) => unknown, ours);
    const schema: JsonSchema = typeof example === 'object' && !Array.isArray(example) ? { type: 'object' } : {};
    return {
      description,
      ...withHeaders,
      content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } },
    };
  }
}

/** The function is the operator's own: the documentation does without what it cannot make. */
function answerExample(answer: (output: unknown) => unknown, ours: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(answer(ours)));
  } catch {
    return undefined;
  }
}

/** The members of the body or query under the names they have here. */
function requestSchema(
  ours: JsonSchema,
  { names = {}, defaults = {}, fixed = {} }: DialectRoute,
  inPath: readonly string[],
): { schema: JsonSchema; theirName: (ours: string) => string } {
  const theirName = (member: string): string =>
    Object.entries(names).find(([, name]) => name === member)?.[0] ?? member;
  const left = Object.entries(ours.properties ?? {}).filter(
    ([member]) => !(member in fixed) && !inPath.includes(member),
  );
  const required = (ours.required ?? []).filter(
    (member) => left.some(([name]) => name === member) && !(member in defaults),
  );
  const { required: _, ...rest } = ours;
  return {
    theirName,
    schema: {
      ...rest,
      properties: Object.fromEntries(
        left.map(([member, its]) => [
          theirName(member),
          member in defaults ? { ...its, default: defaults[member] } : its,
        ]),
      ),
      ...(required.length > 0 ? { required: required.map(theirName) } : {}),
    },
  };
}

function requestBody(
  schema: JsonSchema,
  example: object | undefined,
  required: boolean,
  { forms = 'refused' }: Dialect,
): NonNullable<OpenApiOperation['requestBody']> {
  const media = { schema, ...(example ? { example } : {}) };
  return {
    required,
    ...(forms === 'json'
      ? { description: 'JSON is understood under the content type of a form too, which is what `curl -d` sends.' }
      : {}),
    content: {
      'application/json': media,
      ...(forms === 'refused' ? {} : { 'application/x-www-form-urlencoded': media }),
    },
  };
}

const pathParameter = (name: string): OpenApiParameter => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', minLength: 1, maxLength: 128 },
});

/** A query holds plain values, each once. */
function inQuery(schema: JsonSchema): JsonSchema | undefined {
  if (IN_QUERY.has(String(schema.type))) return schema;
  const plain = schema.anyOf?.find((one) => IN_QUERY.has(String(one.type)));
  return plain && { ...plain, ...(schema.description === undefined ? {} : { description: schema.description }) };
}

function queryParameter(name: string, schema: JsonSchema, required: boolean): OpenApiParameter {
  const { description, ...rest } = schema;
  return { name, in: 'query', required, ...(description ? { description } : {}), schema: rest };
}

function successHeaders({ operation: name, fixed }: DialectRoute, legacy: boolean): Record<string, Reference> {
  const header = (of: string): Record<string, Reference> => ({ [of]: { $ref: `#/components/headers/${of}` } });
  const limited = ['user', 'manage', 'manage-keys', 'sign-in'].includes(OPERATIONS[name].access) || name === 'verify';
  const limits = ['RateLimit-Policy', 'RateLimit', ...(legacy ? LEGACY_RATE_LIMIT_HEADERS : [])];
  return {
    ...(limited ? Object.assign({}, ...limits.map(header)) : {}),
    ...(name === 'verify' ? { ...header('Cache-Control'), ...header('X-Api-Key-Replaced') } : {}),
    ...((name === 'login' && fixed?.mode === undefined) || name === 'refresh' ? header('Set-Cookie') : {}),
  };
}

/** The first way that can be shown: what a shell has in `$API_KEY`, or in `$ACCESS_TOKEN` where only a sign-in may. */
function sampleCredential(security: ReturnType<Security['of']>): SampleCredential | null {
  const [first] = security;
  if (!first || Object.keys(first).length === 0) return null;
  const [scheme = ''] = Object.keys(first);
  if (scheme === 'basic') return { kind: 'basic' };
  const others = security.flatMap((requirement) => Object.keys(requirement));
  const onlySignIn = others.every((name) => name === 'bearer' || name === 'cookie');
  if (scheme === 'bearer') return { kind: 'bearer', variable: onlySignIn ? 'ACCESS_TOKEN' : 'API_KEY' };
  return scheme.includes('cookie') ? null : { kind: 'header', name: scheme };
}
