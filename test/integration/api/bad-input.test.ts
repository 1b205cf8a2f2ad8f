import { expect } from 'chai';
import fc from 'fast-check';
import type { z } from 'zod';
import canonical from '../../../src/endpoints/api/dialects/gatehouse.ts';
import { OPERATIONS, type OperationName } from '../../../src/endpoints/api/operations.ts';
import { type Call, call, good, newPerson, outcome, type Person } from '../../support/api-client.ts';
import { basic, createClient } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const PLACE = 'nothing_of_this_name';

interface Door {
  name: OperationName;
  /** `POST /v1/api-keys` */
  request: string;
  hasBody: boolean;
  /** What stands in the path. */
  inPath: string[];
  shape: Record<string, z.ZodType>;
}

/** Every operation, at every path it has. */
const DOORS: Door[] = Object.entries(canonical.routes).map(([key, { operation }]) => ({
  name: operation,
  request: key.replaceAll(/\{[^}]+\}/g, PLACE),
  hasBody: /^(POST|PUT|PATCH) /.test(key),
  inPath: Array.from(key.matchAll(/\{([^}]+)\}/g), ([, name = '']) => name),
  shape: OPERATIONS[operation].input.shape,
}));
const WITH_BODY = DOORS.filter(({ hasBody }) => hasBody);
const WITH_QUERY = DOORS.filter(({ hasBody }) => !hasBody);

/** Something of every type, and what is awkward in it. */
const VALUES: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  '\u0000',
  '\ud800',
  'x'.repeat(10_000),
  [],
  [null],
  [[['x']]],
  Array(1000).fill('read'),
  {},
  { __proto__: null, quota: {} },
  JSON.parse('{"__proto__":{"quota":1},"constructor":1}'),
];

describe('bad input', () => {
  let harness: Harness;
  let ada: Person;
  let credentials: (door: Door) => NonNullable<Call['headers']>;
  before(async () => {
    harness = await startHarness({
      // Counted, most of this would be refused before it is read.
      adjust: (services) => {
        services.rateLimits = {
          ...services.rateLimits,
          takeFrom: async () => ({ allowed: true, states: [], retryAfterSeconds: 0 }),
        };
      },
    });
    ada = await newPerson(harness);
    const gateway = await createClient(harness, {
      grantTypes: ['client_credentials'],
      scopes: ['provider-keys:use'],
      resources: [harness.issuer],
    });
    credentials = ({ name }): Record<string, string> => {
      const { access } = OPERATIONS[name];
      if (access === 'resource-server') return { authorization: basic(gateway.id, gateway.secret ?? '') };
      return access === 'anyone' || access === 'known' ? {} : { authorization: `Bearer ${ada.token}` };
    };
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const send = (door: Door, request: Omit<Call, 'as'> = {}): Promise<Reply> =>
    call(harness, door.request, { ...request, headers: { ...credentials(door), ...request.headers } });
  function expectProblem(reply: Reply, what: string, ...statuses: number[]): void {
    expect(reply.status, `${what}: ${reply.text.slice(0, 200)}`).to.be.oneOf(statuses);
    expect(reply.headers['content-type'], what).to.contain('application/problem+json');
    const problem = reply.json();
    expect(problem, what).to.include({ status: reply.status, request_id: reply.headers['x-request-id'] });
    expect(problem.type, what).to.equal(`urn:gatehouse:error:${problem.code}`);
    expect(problem.detail, what).to.be.a('string');
    expect(reply.headers['cache-control'], what).to.equal('no-store');
  }
  const fieldsOf = (reply: Reply): string[] => (reply.json().fields ?? []).map(({ field }: { field: string }) => field);

  it('is tried on every operation', () => {
    expect(new Set(DOORS.map(({ name }) => name))).to.deep.equal(new Set(Object.keys(OPERATIONS)));
  });

  it('with members that nobody knows is refused, and names them', async () => {
    for (const door of WITH_BODY) {
      for (const name of ['surplus', 'isAdmin', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
        const reply = await send(door, { body: `{"${name}": {"isAdmin": true}}` });
        expectProblem(reply, `${door.request} ${name}`, 400);
        expect(fieldsOf(reply), `${door.request} ${name}`).to.include(name);
      }
    }
    for (const door of WITH_QUERY) {
      for (const name of ['surplus', '__proto__', 'constructor']) {
        const reply = await send({ ...door, request: `${door.request}?${name}=1` });
        expectProblem(reply, `${door.request} ${name}`, 400);
        expect(fieldsOf(reply)).to.include(name);
      }
    }
  });

  it('with what stands in the path is refused: it cannot be overruled', async () => {
    for (const door of DOORS.filter(({ inPath }) => inPath.length > 0)) {
      const reply = door.hasBody
        ? await send(door, { body: { id: 'key_other' } })
        : await send({ ...door, request: `${door.request}?id=key_other` });
      expectProblem(reply, door.request, 400);
      expect(fieldsOf(reply)).to.include('id');
    }
  });

  it('of a wrong type, empty or too long is refused, and the member is named', async () => {
    let tried = 0;
    for (const door of WITH_BODY) {
      for (const [name, schema] of Object.entries(door.shape)) {
        if (door.inPath.includes(name)) continue;
        for (const value of VALUES.filter((candidate) => !schema.safeParse(candidate).success)) {
          const reply = await send(door, { body: JSON.stringify({ [name]: value }) });
          const what = `${door.request} ${name}=${JSON.stringify(value).slice(0, 60)}`;
          expectProblem(reply, what, 400);
          expect(
            fieldsOf(reply).some((field) => field === name || field.startsWith(`${name}.`)),
            what,
          ).to.equal(true);
          tried += 1;
        }
      }
    }
    expect(tried).to.be.greaterThan(300);
  });

  it('that is no JSON object, or not JSON at all, is refused', async () => {
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    const bodies: (string | Buffer)[] = [
      '[]',
      '[{"name":"x"}]',
      'null',
      '5',
      '"text"',
      '{',
      '{"name":"x",}',
      "{'name':'x'}",
      '{"name":"x"}{"name":"y"}',
      '\ufeff{} {}',
      '['.repeat(30_000),
      deep,
      Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      Buffer.from('{"name":"\u00e9"}', 'latin1'),
      Buffer.from('{"name":"x"}', 'utf16le'),
      Buffer.alloc(100),
    ];
    for (const door of WITH_BODY) {
      for (const body of bodies) {
        expectProblem(await send(door, { body }), `${door.request} ${body.toString('latin1').slice(0, 30)}`, 400);
      }
    }
  });

  it('that is too large is refused without being read', async () => {
    for (const door of WITH_BODY) {
      const body = JSON.stringify({ name: 'x'.repeat(70_000) });
      expectProblem(await send(door, { body }), door.request, 413);
    }
  });

  it('in another content type, compressed or in the URL is refused', async () => {
    for (const door of WITH_BODY) {
      const body = JSON.stringify({ name: 'x' });
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
        expectProblem(await send(door, { body, headers: { 'content-type': type } }), `${door.request} ${type}`, 415);
      }
      expectProblem(await send(door, { body, headers: { 'content-encoding': 'gzip' } }), door.request, 415);
      expectProblem(await send({ ...door, request: `${door.request}?name=x` }, { body: '{}' }), door.request, 400);
    }
  });

  it('of a parameter that is repeated is refused', async () => {
    for (const door of WITH_QUERY) {
      const name = Object.keys(door.shape).find((candidate) => !/^(id|required_scopes)$/.test(candidate));
      if (name === undefined) continue;
      const reply = await send({ ...door, request: `${door.request}?${name}=a&${name}=a` });
      expectProblem(reply, door.request, 400);
      expect(fieldsOf(reply)).to.deep.equal([name]);
    }
  });

  it('for an id is not found, however odd', async () => {
    for (const door of DOORS.filter(({ inPath }) => inPath.length > 0)) {
      for (const id of [
        'key_x',
        '..',
        '%00',
        '%2e%2e',
        "'%20or%201=1--",
        'x'.repeat(200),
        '%ff',
        '__proto__',
        '%F0%9F',
      ]) {
        const reply = await send(
          { ...door, request: door.request.replace(PLACE, id) },
          door.hasBody ? { body: {} } : {},
        );
        // Some are no path of the API at all; for some the members are looked at first.
        expect(reply.status, `${door.request} ${id}`).to.be.oneOf([400, 404, 405]);
      }
    }
  });

  it('by another method is refused with the ones there are', async () => {
    for (const path of new Set(DOORS.map(({ request }) => request.split(' ')[1] as string))) {
      const known = DOORS.filter(({ request }) => request.endsWith(` ${path}`)).map(
        ({ request }) => request.split(' ')[0],
      );
      const reply = await call(harness, `${known.includes('PUT') ? 'PATCH' : 'PUT'} ${path}`, { body: {} });
      expectProblem(reply, path, 405);
      expect(reply.headers.allow?.split(', ')).to.have.members(known.includes('GET') ? [...known, 'HEAD'] : known);
    }
  });

  it('leaves nothing behind', async () => {
    const mine = async (path: string): Promise<unknown[]> =>
      (await good(call(harness, `GET ${path}`, { as: ada.token }))).data;
    const deps: [string, object][] = [
      ['/v1/api-keys', { name: 'x', scopes: ['nonsense'] }],
      ['/v1/api-keys', { name: 'x', namespace: 'ns_of_nobody' }],
      ['/v1/api-keys', { name: '\ud800' }],
      ['/v1/api-keys', { name: 'a\u0000b' }],
      ['/v1/provider-keys', { provider: 'openai', value: 'with a space' }],
      ['/v1/provider-keys', { provider: 'openai', value: 'a-good-value-of-it', label: '\u0000' }],
      ['/v1/clients', { name: 'a\u0000b' }],
      ['/v1/clients', { name: 'x', token_endpoint_auth_method: 'private_key_jwt' }],
      ['/v1/clients', { name: 'x', jwks: { keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }] } }],
    ];
    for (const [path, body] of deps) {
      const reply = await call(harness, `POST ${path}`, {
        as: ada.token,
        body,
        headers: { 'idempotency-key': 'again' },
      });
      expectProblem(reply, JSON.stringify(body), 400);
    }
    for (const path of ['/v1/api-keys', '/v1/provider-keys', '/v1/clients']) expect(await mine(path)).to.deep.equal([]);
    expect(await outcome(call(harness, 'GET /v1/auth/me', { as: ada.token }))).to.equal('200');
  });

  it('made up at random is refused or taken, and never fails', async () => {
    const people: Person[] = [];
    for (let i = 0; i < 5; i += 1) people.push(await newPerson(harness));
    const odd = fc.constantFrom(...VALUES);
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(
        'openai',
        'live',
        'test',
        'read',
        'manage',
        'private_key_jwt',
        '2030-01-01T00:00:00Z',
        '10.0.0.0/8',
      ),
    );
    const value = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.integer(), fc.jsonValue(), odd);
    const bodies = fc.constantFrom(...WITH_BODY).chain((door) => {
      const names = Object.keys(door.shape).filter((name) => !door.inPath.includes(name));
      const members = Object.fromEntries(names.map((name) => [name, value]));
      return fc.tuple(fc.constant(door), fc.record(members, { requiredKeys: [] }), fc.boolean());
    });
    await fc.assert(
      fc.asyncProperty(bodies, fc.nat(4), async ([door, body, repeatable], who) => {
        const headers = {
          ...credentials(door),
          ...(OPERATIONS[door.name].access === 'resource-server'
            ? {}
            : { authorization: `Bearer ${people[who]?.token}` }),
          ...(repeatable ? { 'idempotency-key': 'the-same' } : {}),
        };
        // Not remembered as secrets: most of it is text that may stand anywhere.
        const reply = await harness.sendRaw(door.request.split(' ')[1] ?? '', {
          method: door.request.split(' ')[0] ?? '',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        });
        expect(reply.status, `${door.request} ${JSON.stringify(body)} ${reply.text}`).to.be.below(500);
        if (reply.status >= 400) expectProblem(reply, door.request, 400, 401, 403, 404, 409, 422, 429);
      }),
      { numRuns: 1000 },
    );
    expect(harness.log.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });
});
