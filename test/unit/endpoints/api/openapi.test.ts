import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import { createKeyFormat } from '../../../../src/domain/api-keys/key-format.ts';
import type { Dialect } from '../../../../src/endpoints/api/dialect.ts';
import canonical from '../../../../src/endpoints/api/dialects/gatehouse.ts';
import { loadDialect } from '../../../../src/endpoints/api/load-dialect.ts';
import { createOpenApiDocument } from '../../../../src/endpoints/api/openapi.ts';
import type { JsonSchema, OpenApiDocument, OpenApiOperation } from '../../../../src/endpoints/api/openapi-types.ts';
import { createRouteTable } from '../../../../src/endpoints/api/route-table.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const SHIPPED = ['gatehouse', 'openmemoryx', 'memory-api', 'tokenos', 'memoryrouter', 'api-auth'];

const withCanonical = (dialect: Dialect): [Dialect, ...Dialect[]] =>
  dialect === canonical ? [canonical] : [dialect, canonical];

/** As a client reads it. */
const documentOf = (dialect: Dialect): OpenApiDocument =>
  JSON.parse(
    JSON.stringify(
      createOpenApiDocument({ dialects: withCanonical(dialect), issuer: 'https://auth.example/a', version: '1.2.3' }),
    ),
  );

const operationsOf = ({ paths }: OpenApiDocument): { path: string; method: string; operation: OpenApiOperation }[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

function find(document: OpenApiDocument, key: string): OpenApiOperation {
  const [method = '', path = ''] = key.split(' ');
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the document has no ${key}`);
  return operation;
}

const jsonBody = (operation: OpenApiOperation): JsonSchema =>
  operation.requestBody?.content['application/json']?.schema ?? {};

const success = (operation: OpenApiOperation) => {
  const [response] = Object.values(operation.responses);
  return (response as { content?: Record<string, { schema: JsonSchema; example?: unknown }> }).content?.[
    'application/json'
  ];
};

/** What is wrong with the examples, by the schemas beside them. */
function exampleProblems(document: OpenApiDocument): string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'https://document.example/', components: document.components });
  const problems: string[] = [];
  const check = (what: string, schema: JsonSchema, example: unknown): void => {
    const refs = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"https://document.example/#/'));
    const validate = ajv.compile(refs);
    if (!validate(example)) problems.push(`${what}: ${ajv.errorsText(validate.errors)}`);
  };
  for (const { path, method, operation } of operationsOf(document)) {
    for (const [type, { schema, example }] of Object.entries(operation.requestBody?.content ?? {})) {
      if (example !== undefined) check(`${method} ${path} ${type}`, schema, example);
    }
    const answer = success(operation);
    if (answer?.example !== undefined) check(`${method} ${path} answer`, answer.schema, answer.example);
  }
  for (const [name, { value }] of Object.entries(document.components.examples)) {
    if (!name.includes('.')) check(name, { $ref: '#/components/schemas/Problem' }, value);
  }
  return problems;
}

describe('the OpenAPI document', () => {
  const dialects = new Map<string, Dialect>();
  before(async () => {
    for (const name of SHIPPED) {
      const { dialect } = await loadDialect({ dialect: name, configFile: null });
      dialects.set(name, dialect);
    }
  });
  const dialectOf = (name: string): Dialect => dialects.get(name) as Dialect;

  for (const name of SHIPPED) {
    describe(`of ${name}`, () => {
      let dialect: Dialect;
      let document: OpenApiDocument;
      before(() => {
        dialect = dialectOf(name);
        document = documentOf(dialect);
      });

      it('is valid OpenAPI 3.1, and every reference in it leads somewhere', async () => {
        const validator = new Validator();
        expect(await validator.validate(structuredClone({ ...document }))).to.deep.equal({ valid: true });
        expect(validator.version).to.equal('3.1');
        for (const [, pointer = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
          let at: unknown = document;
          for (const step of pointer.split('/')) at = (at as Record<string, unknown> | undefined)?.[step];
          expect(at, pointer).to.be.an('object');
        }
      });

      it('has every route of the table and no other but forward-auth', () => {
        const table = createRouteTable(withCanonical(dialect));
        const served = withCanonical(dialect).flatMap((one) =>
          Object.keys(one.routes).map((key) => {
            const [method = '', path = ''] = key.split(' ');
            const matched = table(path.replaceAll(/\{[^}]+\}/g, 'x'));
            return `${method} ${matched?.path} ${matched?.routes[method]?.route.operation}`;
          }),
        );
        const described = operationsOf(document).map(
          ({ path, method, operation }) => `${method} ${path} ${operation.operationId}`,
        );
        const paths = (lines: string[]): string[] => lines.map((line) => line.split(' ').slice(0, 2).join(' ')).sort();
        expect(paths(described)).to.deep.equal(paths([...new Set([...served, 'GET /forward-auth forwardAuth'])]));
        for (const line of served) {
          const [method, path, operation = ''] = line.split(' ');
          const { operationId } = find(document, `${method} ${path}`);
          expect(operationId.toLowerCase()).to.include(operation.toLowerCase());
        }
      });

      it('calls every operation by a name of its own', () => {
        const ids = operationsOf(document).map(({ operation }) => operation.operationId);
        expect(new Set(ids).size).to.equal(ids.length);
      });

      it('shows examples that fit its schemas', () => {
        expect(exampleProblems(document)).to.deep.equal([]);
      });

      it('shows keys of its product, none of which a scanner takes for a leaked one', () => {
        const text = JSON.stringify(document);
        const [environment] = Object.values(dialect.keys.environments);
        expect(text).to.include(`${environment?.prefix}Zb3h`);
        const { environments } = dialect.keys;
        const pattern = createKeyFormat({ environments, tagKey: createDigester(Buffer.alloc(32)) }).scannerPattern();
        expect(text).not.to.match(new RegExp(pattern));
      });

      it('says of every operation who may, and answers 401 wherever a credential is needed', () => {
        for (const { path, method, operation } of operationsOf(document)) {
          expect(operation['x-access'], `${method} ${path}`).to.match(/\.$/);
          const needsOne =
            operation.security.length > 0 && operation.security.every((one) => Object.keys(one).length > 0);
          if (needsOne) expect(operation.responses, `${method} ${path}`).to.have.property('401');
          for (const scheme of operation.security.flatMap((one) => Object.keys(one))) {
            expect(document.components.securitySchemes).to.have.property(scheme);
          }
        }
      });
    });
  }

  it('names shared objects instead of repeating them', () => {
    const document = documentOf(canonical);
    expect(document.components.schemas).to.include.keys('Account', 'ApiKey', 'Principal', 'Problem', 'ProviderKey');
    expect(success(find(document, 'GET /v1/api-keys/{id}'))?.schema).to.deep.equal({
      $ref: '#/components/schemas/ApiKey',
    });
    expect(success(find(document, 'GET /v1/api-keys'))?.schema.properties?.data?.items).to.deep.equal({
      $ref: '#/components/schemas/ApiKey',
    });
  });

  it('leaves answers open to more members and requests closed', () => {
    const document = documentOf(canonical);
    expect(jsonBody(find(document, 'POST /v1/api-keys')).additionalProperties).to.equal(false);
    expect(JSON.stringify(document.components.schemas)).not.to.include('additionalProperties');
  });

  it('asks for what a GET needs in the query, and never for a credential there', () => {
    const document = documentOf(canonical);
    const namesOf = (key: string): string[] =>
      (find(document, key).parameters ?? []).map((parameter) => ('name' in parameter ? parameter.name : ''));
    expect(namesOf('GET /v1/api-keys')).to.deep.equal(['limit', 'cursor', 'environment']);
    expect(namesOf('DELETE /v1/api-keys/{id}')).to.deep.equal(['id', 'descendants']);
    expect(namesOf('GET /v1/auth/verify')).not.to.include('credential');
    expect(find(document, 'GET /v1/auth/verify').requestBody).to.equal(undefined);
  });

  it('offers an Idempotency-Key where a request may be repeated', () => {
    const document = documentOf(canonical);
    const offering = operationsOf(document)
      .filter(({ operation }) => JSON.stringify(operation.parameters ?? []).includes('Idempotency-Key'))
      .map(({ operation }) => operation.operationId);
    expect(offering).to.deep.equal(['createApiKey', 'rotateApiKey', 'addProviderKey']);
    for (const id of ['POST /v1/api-keys', 'POST /v1/provider-keys']) {
      expect(find(document, id).responses).to.have.property('422');
    }
  });

  it('has the members of a dialect under its names, without those it fixes, and the forms it takes', () => {
    const login = find(documentOf(dialectOf('openmemoryx')), 'POST /api/auth/login');
    expect(Object.keys(jsonBody(login).properties ?? {})).to.deep.equal(['username', 'password', 'device_token']);
    expect(jsonBody(login).required).to.deep.equal(['username', 'password']);
    expect(Object.keys(login.requestBody?.content ?? {})).to.include('application/x-www-form-urlencoded');
    const create = find(documentOf(dialectOf('openmemoryx')), 'POST /api/keys');
    expect(create.requestBody?.required).to.equal(false);
    expect(jsonBody(create).properties?.name?.default).to.equal('API key');
  });

  it('shows the answers and errors of a dialect as it gives them', () => {
    const document = documentOf(dialectOf('api-auth'));
    const verify = find(document, 'GET /v1/auth/verify');
    expect(success(verify)?.schema).to.deep.equal({ type: 'object' });
    expect(Object.keys(success(verify)?.example as object)).to.deep.equal([
      'authenticated',
      'user_id',
      'scopes',
      'expires_at',
    ]);
    expect(document.components.examples['api-auth.token_expired']?.value).to.deep.equal({
      error: 'token_expired',
      message: 'The access token has expired',
      code: 401,
      timestamp: '2026-03-01T09:30:00Z',
    });
    // Routes that only the canonical API has answer its errors.
    expect(JSON.stringify(find(document, 'GET /v1/api-keys').responses)).to.include('application/problem+json');
  });

  it('does without an example that an operator’s own function cannot make', () => {
    const document = documentOf({
      ...canonical,
      name: 'own',
      routes: {
        'GET /me': {
          operation: 'me',
          answer: () => {
            throw new Error('not today');
          },
        },
        'POST /sign-in': { operation: 'login' },
        'POST /sign-in-too': { operation: 'login' },
      },
    });
    expect(success(find(document, 'GET /me'))).to.deep.equal({ schema: {} });
    // Three routes to one operation still have three names.
    const ids = ['/sign-in', '/sign-in-too', '/v1/auth/login'].map(
      (path) => find(document, `POST ${path}`).operationId,
    );
    expect(new Set(ids).size).to.equal(3);
  });

  it('lists the headers in which a product takes credentials', () => {
    const { securitySchemes } = documentOf(dialectOf('memoryrouter')).components;
    expect(securitySchemes['x-memory-key']).to.include({ type: 'apiKey', in: 'header', name: 'X-Memory-Key' });
    expect(securitySchemes).to.include.keys('bearer', 'x-api-key', 'basic', 'cookie');
    expect(documentOf(dialectOf('api-auth')).components.securitySchemes).not.to.include.keys('x-api-key');
  });
});
