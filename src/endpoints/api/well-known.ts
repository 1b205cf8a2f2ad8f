import type { Context } from 'koa';
import type { KeyFormat } from '../../domain/api-keys/key-format.ts';
import { PROOF_ALGORITHMS } from '../../domain/credentials/proof/proof-key.ts';
import type { ScopeDefinition } from '../../domain/scopes/scope.ts';
import { writeOAuthError } from '../../http/errors.ts';
import type { Route } from '../../http/routes.ts';

const CACHE_SECONDS = 300;

/**
 * What machines look up: our own API as a protected resource (RFC 9728), and how its keys look, for those who search code and
 * logs for leaked ones.
 */
export function createWellKnown({
  issuer,
  title,
  catalogue,
  keyFormat,
}: {
  issuer: string;
  title: string;
  catalogue: readonly ScopeDefinition[];
  keyFormat: KeyFormat;
}): (path: string) => Route | null {
  const documents: Readonly<Record<string, object>> = {
    '/.well-known/oauth-protected-resource': {
      resource: issuer,
      resource_name: title,
      authorization_servers: [issuer],
      scopes_supported: catalogue.filter(({ clientsOnly }) => !clientsOnly).map(({ name }) => name),
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
      resource_documentation: `${issuer}/v1/docs`,
    },
    '/.well-known/api-key-patterns': {
      product: title,
      patterns: [
        {
          name: `${title} API key`,
          regex: keyFormat.scannerPattern(),
          prefixes: Object.values(keyFormat.environments).map(({ prefix }) => prefix),
          checksum: 'the last 6 characters are the CRC-32 of all before them, in base 62 (0-9A-Za-z)',
        },
      ],
      report: {
        method: 'POST',
        url: `${issuer}/v1/leaks`,
        body: { key: '<the whole key>', source: '<who tells>', url: '<where it was>' },
      },
    },
  };
  const routes = new Map<string, Route>();
  for (const [path, document] of Object.entries(documents)) {
    const answer = (ctx: Context): void => {
      ctx.set('Access-Control-Allow-Origin', '*');
      ctx.set('Cache-Control', `public, max-age=${CACHE_SECONDS}`);
      ctx.body = document;
    };
    routes.set(path, { name: path, methods: { GET: answer, HEAD: answer }, writeError: writeOAuthError });
  }
  return (path) => routes.get(path) ?? null;
}
