/** What clients and resource servers ask most, of Gatehouse and of the bare engine. */
import { basic, type Credentials, clientCredentials, type Fixture, FORM, JWT_API, OPAQUE_API } from './fixtures.ts';
import { createFlows } from './flows.ts';
import type { Load } from './load.ts';
import type { MeasuredServer } from './servers.ts';
import type { RequestKind } from './throughput.ts';

const TOKENS = 100;

export function oauthRequests(fixture: Fixture): RequestKind[] {
  const form = (path: string, client: Credentials, bodies: readonly string[], expect: string): Load => ({
    method: 'POST',
    path,
    headers: { Authorization: basic(client), 'Content-Type': FORM },
    requests: bodies.map((body) => ({ body })),
    status: 200,
    expect,
  });
  const token = (resource: string) => (server: MeasuredServer) =>
    Promise.resolve(form(server.paths.token, fixture.machine, [clientCredentials(resource)], '"token_type":"Bearer"'));

  return [
    { name: 'client credentials, opaque', target: 1, load: token(OPAQUE_API) },
    { name: 'client credentials, JWT ES256', target: 1, load: token(JWT_API) },
    {
      name: 'introspection, opaque',
      target: 1.5,
      async load(server) {
        // Fresh tokens each time: the baseline remembers only the last thousand things.
        const flows = createFlows(server, fixture);
        const bodies: string[] = [];
        for (let i = 0; i < TOKENS; i += 1) bodies.push(`token=${await flows.clientCredentials(OPAQUE_API)}`);
        flows.close();
        return form(server.paths.introspect, fixture.api, bodies, '"active":true');
      },
    },
  ];
}
