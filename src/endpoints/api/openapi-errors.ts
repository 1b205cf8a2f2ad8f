import { USE_PROVIDER_KEYS } from '../../domain/scopes/scope.ts';
import { ERROR_CODES, type ErrorCodeName } from '../../kit/error-codes.ts';
import { AppError, type ErrorFacts } from '../../kit/errors.ts';
import type { Dialect } from './dialect.ts';
import type { JsonSchema, OpenApiDocument, OpenApiResponse } from './openapi-types.ts';
import type { Access, OperationName } from './operations.ts';
import { problem } from './problem.ts';

const OF_A_USER = [
  'invalid_request',
  'unauthenticated',
  'token_expired',
  'insufficient_scope',
  'rate_limit_exceeded',
] as const;

const BY_ACCESS: Readonly<Record<Access, readonly ErrorCodeName[]>> = {
  anyone: ['invalid_request'],
  known: ['invalid_request'],
  user: OF_A_USER,
  manage: OF_A_USER,
  'manage-keys': OF_A_USER,
  'sign-in': OF_A_USER,
  'resource-server': ['invalid_request', 'invalid_client', 'insufficient_scope'],
};

/** Beyond those of everyone with the same access. */
const BY_OPERATION: Readonly<Partial<Record<OperationName, readonly ErrorCodeName[]>>> = {
  signUp: ['sign_up_closed', 'email_taken', 'too_many_requests'],
  login: ['invalid_credentials', 'cross_site_request', 'too_many_requests'],
  refresh: ['invalid_refresh_token', 'cross_site_request'],
  logout: ['cross_site_request'],
  changePassword: ['invalid_credentials', 'too_many_requests'],
  verify: OF_A_USER,
  createApiKey: ['idempotency_mismatch', 'conflict'],
  updateApiKey: ['conflict'],
  rotateApiKey: ['conflict'],
  resumeApiKey: ['conflict'],
  addProviderKey: ['not_found', 'conflict', 'idempotency_mismatch', 'provider_key_refused'],
  updateProviderKey: ['conflict', 'provider_key_refused'],
  resolveProviderKey: [
    'unauthenticated',
    'token_expired',
    'not_found',
    'provider_key_missing',
    'provider_key_unreadable',
    'rate_limit_exceeded',
  ],
  createClient: ['conflict'],
};

/** Told apart by no operation: any request can get them. */
export const ANYWHERE = [
  'method_not_allowed',
  'payload_too_large',
  'unsupported_media_type',
  'misdirected_host',
  'server_error',
  'temporarily_unavailable',
] as const satisfies readonly ErrorCodeName[];

export const errorsOf = (operation: OperationName, access: Access, hasPathParameters: boolean): ErrorCodeName[] => [
  ...new Set([
    ...BY_ACCESS[access],
    ...(BY_OPERATION[operation] ?? []),
    ...(hasPathParameters ? (['not_found'] as const) : []),
  ]),
];

const FACTS: Readonly<Partial<Record<ErrorCodeName, { public?: string; facts: ErrorFacts }>>> = {
  invalid_request: { public: 'name: is missing', facts: { fields: [{ field: 'name', problem: 'is missing' }] } },
  provider_key_missing: { facts: { provider: 'openai' } },
  provider_key_refused: { facts: { provider: 'openai' } },
};
/** When the error of an example happened: 2026-03-01T09:30:00Z. */
const THEN_MS = 1_772_357_400_000;

/** Writes errors as the dialect of a route has them. */
export interface ErrorResponses {
  /** By status. */
  of(codes: readonly ErrorCodeName[], dialect: Dialect): Record<string, OpenApiResponse>;
}

/** @param components gets the schemas and examples of the errors that were asked for */
export function createErrorResponses({
  components,
  manageScope,
}: {
  components: OpenApiDocument['components'];
  manageScope: string;
}): ErrorResponses {
  function schemaOf(dialect: Dialect): JsonSchema {
    const [name, schema] =
      dialect.error === problem
        ? ['Problem', PROBLEM]
        : ['Error', { type: 'object', description: `How ${dialect.title} says what went wrong.` }];
    components.schemas[name] ??= schema;
    return { $ref: `#/components/schemas/${name}` };
  }

  function exampleOf(code: ErrorCodeName, dialect: Dialect): string {
    const name = dialect.error === problem ? code : `${dialect.name}.${code}`;
    const scope = code === 'insufficient_scope' ? { facts: { scope: manageScope } } : {};
    components.examples[name] ??= {
      summary: ERROR_CODES[code].title,
      value: dialect.error(new AppError(code, { ...FACTS[code], ...scope }), {
        requestId: 'req_6RmC9LhP4TqYw8ZkVb2NxJ',
        at: new Date(THEN_MS),
      }).body,
    };
    return name;
  }

  return {
    of(codes, dialect) {
      const byStatus = Map.groupBy(codes, (code) => String(ERROR_CODES[code].status));
      const statuses = [...byStatus.keys()].sort();
      return Object.fromEntries(
        statuses.map((status) => {
          const of = byStatus.get(status) ?? [];
          const headers = headersOf(of);
          return [
            status,
            {
              description: of.map((code) => `${ERROR_CODES[code].title} (\`${code}\`).`).join(' '),
              ...(headers ? { headers } : {}),
              content: {
                [dialect.errorType ?? 'application/json']: {
                  schema: schemaOf(dialect),
                  examples: Object.fromEntries(
                    of.map((code) => [code, { $ref: `#/components/examples/${exampleOf(code, dialect)}` }]),
                  ),
                },
              },
            },
          ];
        }),
      );
    },
  };
}

function headersOf(codes: readonly ErrorCodeName[]): OpenApiResponse['headers'] {
  const header = (name: string) => ({ [name]: { $ref: `#/components/headers/${name}` } });
  if (codes.some((code) => code === 'unauthenticated' || code === 'insufficient_scope'))
    return header('WWW-Authenticate');
  if (codes.includes('rate_limit_exceeded')) {
    return { ...header('Retry-After'), ...header('RateLimit-Policy'), ...header('RateLimit') };
  }
  return codes.includes('too_many_requests') ? header('Retry-After') : undefined;
}

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'What went wrong (RFC 9457).',
  properties: {
    type: { type: 'string', description: '`urn:gatehouse:error:` and the code.' },
    title: { type: 'string', description: 'The same for every error of this code.' },
    status: { type: 'integer', description: 'The HTTP status.' },
    code: { type: 'string', description: 'For programs to decide by.' },
    detail: { type: 'string', description: 'What is wrong with this request.' },
    next: { type: 'string', description: 'What to do about it.' },
    request_id: { type: 'string', description: 'Name it when you ask the operator for help.' },
    fields: {
      type: 'array',
      description: 'Each member of the request that is wrong.',
      items: {
        type: 'object',
        properties: { field: { type: 'string' }, problem: { type: 'string' } },
        required: ['field', 'problem'],
      },
    },
    required_scope: { type: 'string', description: `The scope that is missing: \`${USE_PROVIDER_KEYS}\`, say.` },
    provider: { type: 'string', description: 'The provider it is about.' },
  },
  required: ['type', 'title', 'status', 'code', 'detail', 'next', 'request_id'],
};
