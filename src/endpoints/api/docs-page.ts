import { ERROR_CODES, type ErrorCodeName } from '../../kit/error-codes.ts';
import { type Field, fieldsOf, typeText } from './docs-fields.ts';
import { ANYWHERE } from './openapi-errors.ts';
import type {
  OpenApiDocument,
  OpenApiHeader,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiResponse,
  Reference,
} from './openapi-types.ts';
import { prettyJson } from './pretty-json.ts';

/** What views/api/docs.eta shows, all of it taken from the OpenAPI document. */
export interface DocsPage {
  title: string;
  version: string;
  serverUrl: string;
  scopes: readonly { name: string; description: string; includes: string }[];
  credentials: readonly { name: string; how: string; description: string }[];
  anyErrors: readonly ShownError[];
  errorExample: string;
  sections: readonly { id: string; name: string; description: string; operations: readonly ShownOperation[] }[];
  schemas: readonly { id: string; name: string; description: string; fields: readonly Field[] }[];
}

interface ShownOperation {
  id: string;
  /** The summary, with what tells it apart from another of the same. */
  label: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  access: string;
  parameters: readonly Field[];
  body: { types: string; description: string; fields: readonly Field[] } | null;
  curl: string;
  answer: { status: string; description: string; schema: Schema | null; fields: readonly Field[]; example: string };
  headers: readonly Field[];
  errorStatuses: string;
  errors: readonly ShownError[];
}

interface ShownError {
  status: string;
  code: string;
  title: string;
  next: string;
}

interface Schema {
  id: string;
  name: string;
}

export function docsPage(document: OpenApiDocument): DocsPage {
  const { info, servers, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  return {
    title: info.title,
    version: info.version,
    serverUrl: servers[0]?.url ?? '',
    scopes: info['x-scopes'].map(({ name, description, includes = [] }) => ({
      name,
      description,
      includes: includes.join(', '),
    })),
    credentials: Object.values(components.securitySchemes).map((scheme) => ({
      name: scheme.name ?? `Authorization: ${scheme.scheme === 'basic' ? 'Basic' : 'Bearer'}`,
      how: scheme.in ?? 'header',
      description: scheme.description,
    })),
    anyErrors: ANYWHERE.map(shownError),
    errorExample: prettyJson(
      Object.entries(components.examples).find(([name]) => name.endsWith('insufficient_scope'))?.[1].value,
    ),
    sections: tags.map(({ name, description }) => ({
      id: sectionId(name),
      name,
      description,
      operations: labelled(
        operations
          .filter(({ operation }) => operation.tags.includes(name))
          .map(({ path, method, operation }) => shownOperation(document, path, method, operation)),
      ),
    })),
    schemas: Object.entries(components.schemas)
      .filter(([, schema]) => schema.properties)
      .sort(([one], [other]) => one.localeCompare(other, 'en'))
      .map(([name, schema]) => ({
        id: schemaId(name),
        name,
        description: schema.description ?? '',
        fields: fieldsOf(schema),
      })),
  };
}

const labelled = (operations: readonly Omit<ShownOperation, 'label'>[]): ShownOperation[] =>
  operations.map((operation) => {
    const { summary, method, path } = operation;
    const isAlone = operations.filter((other) => other.summary === summary).length === 1;
    return { ...operation, label: isAlone ? summary : `${summary} (${method} ${path})` };
  });

function shownOperation(
  document: OpenApiDocument,
  path: string,
  method: string,
  operation: OpenApiOperation,
): Omit<ShownOperation, 'label'> {
  const { responses, requestBody } = operation;
  const [status = '', success = { description: '' }] = Object.entries(responses)[0] ?? [];
  const { description, content, headers = {} } = resolve(document, success);
  const media = content?.['application/json'];
  const schema = media?.schema.$ref?.replace('#/components/schemas/', '');
  const errors = Object.entries(responses)
    .flatMap(([, response]) =>
      Object.values(resolve(document, response).content ?? {}).flatMap(({ examples = {} }) =>
        Object.keys(examples).map((code) => shownError(code as ErrorCodeName)),
      ),
    )
    .filter(({ code }) => !isAnywhere(code));
  const bodySchema = Object.values(requestBody?.content ?? {})[0]?.schema;
  return {
    id: operation.operationId,
    method,
    path,
    summary: operation.summary,
    description: operation.description ?? '',
    access: operation['x-access'],
    parameters: (operation.parameters ?? []).map((parameter) => parameterField(resolve(document, parameter))),
    body: requestBody
      ? {
          types: Object.keys(requestBody.content).join(' or '),
          description: requestBody.description ?? '',
          fields: fieldsOf(bodySchema ?? {}),
        }
      : null,
    curl: operation['x-codeSamples'][0]?.source ?? '',
    answer: {
      status,
      description,
      schema: schema === undefined ? null : { id: schemaId(schema), name: schema },
      fields: schema === undefined ? fieldsOf(media?.schema ?? {}) : [],
      example: media?.example === undefined ? '' : prettyJson(media.example),
    },
    headers: Object.entries(headers).map(([name, header]) => headerField(name, resolve(document, header))),
    errorStatuses: [...new Set(errors.map((error) => error.status))].join(', '),
    errors,
  };
}

function parameterField({ name, in: where, required, description = '', schema }: OpenApiParameter): Field {
  return { name, where, required, description, ...typeText(schema) };
}

const headerField = (name: string, { description, schema }: OpenApiHeader): Field => ({
  name,
  where: '',
  required: false,
  description,
  ...typeText(schema),
});

function shownError(code: ErrorCodeName): ShownError {
  const { status, title, next } = ERROR_CODES[code];
  return { status: String(status), code, title, next };
}

const isAnywhere = (code: string): boolean => (ANYWHERE as readonly string[]).includes(code);

type Component = OpenApiParameter | OpenApiResponse | OpenApiHeader;

/** What a reference into the components stands for. */
function resolve<T extends Component>(document: OpenApiDocument, value: T | Reference): T {
  if (!('$ref' in value)) return value;
  const [, , group = '', name = ''] = value.$ref.split('/');
  return (document.components as unknown as Record<string, Record<string, T>>)[group]?.[name] as T;
}

const schemaId = (name: string): string => `schema-${name}`;
const sectionId = (name: string): string => `section-${name}`.toLowerCase().replaceAll(' ', '-');
