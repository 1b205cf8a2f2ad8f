import { USE_PROVIDER_KEYS } from '../../domain/scopes/scope.ts';
import type { CredentialPlaces } from './dialect.ts';
import type { SecurityRequirement, SecurityScheme } from './openapi-types.ts';
import type { Access, OperationName } from './operations.ts';

/** Where credentials may stand, who needs which, and how a request of an example carries one. */
export interface Security {
  schemes: Record<string, SecurityScheme>;
  /** Any one of them lets a request in; an empty one means none is needed. */
  of(operation: OperationName, access: Access): SecurityRequirement[];
  /** For a request that a user's own credential must come with. */
  users: SecurityRequirement[];
}

export function createSecurity({
  places,
  manageScope,
  https,
}: {
  places: CredentialPlaces;
  manageScope: string;
  https: boolean;
}): Security {
  const prefix = https ? '__Host-' : '';
  const bearer: Record<string, SecurityScheme> = places.headers.includes('authorization')
    ? {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API key, an OAuth access token or the access token of a sign-in. A token that is bound to a key goes under the scheme `DPoP`, with a proof in the header `DPoP`.',
        },
      }
    : {};
  const others = places.headers.filter((name) => name !== 'authorization');
  const headers = Object.fromEntries(
    others.map((name): [string, SecurityScheme] => [
      name,
      { type: 'apiKey', in: 'header', name: headerName(name), description: 'The same without a scheme before it.' },
    ]),
  );
  const cookies: Record<string, SecurityScheme> = {
    cookie: {
      type: 'apiKey',
      in: 'cookie',
      name: `${prefix}gatehouse_access`,
      description: 'Of a sign-in with `mode: "cookies"`; set by this server, for pages of its own origin only.',
    },
    'refresh-cookie': {
      type: 'apiKey',
      in: 'cookie',
      name: `${prefix}gatehouse_refresh`,
      description: 'The refresh token of such a sign-in.',
    },
  };
  const basic: SecurityScheme = {
    type: 'http',
    scheme: 'basic',
    description: `A resource server with the scope \`${USE_PROVIDER_KEYS}\`, by its client id and secret.`,
  };

  const needing = (scopes: readonly string[]): SecurityRequirement[] =>
    [...Object.keys(bearer), ...others].map((name) => ({ [name]: scopes }));
  const signIn: SecurityRequirement[] = [{ ...Object.keys(bearer).map((name) => ({ [name]: [] }))[0] }, { cookie: [] }];
  const users = [...needing([]), { cookie: [] }];

  return {
    schemes: { ...bearer, ...headers, ...cookies, basic },
    users,
    of(operation, access) {
      if (operation === 'verify') return users;
      if (operation === 'refresh') return [{}, { 'refresh-cookie': [] }];
      switch (access) {
        case 'anyone':
          return [];
        case 'known':
          return [{}, ...users];
        case 'user':
          return users;
        case 'manage':
        case 'manage-keys':
          return [...needing([manageScope]), { cookie: [] }];
        case 'sign-in':
          return signIn.filter((requirement) => Object.keys(requirement).length > 0);
        case 'resource-server':
          return [{ basic: [] }, { bearer: [USE_PROVIDER_KEYS] }];
      }
    },
  };
}

/** Who may, in words. */
export function accessText(operation: OperationName, access: Access, manageScope: string): string {
  if (operation === 'verify') return 'Whoever has a credential to ask about.';
  switch (access) {
    case 'anyone':
      return 'Anyone.';
    case 'known':
      return 'Anyone. A credential that comes along says who it is.';
    case 'user':
      return 'A user, by API key, access token or sign-in.';
    case 'manage':
      return `A key or token with the scope \`${manageScope}\`, or a sign-in by the user.`;
    case 'manage-keys':
      return `A key with the scope \`${manageScope}\`, or a sign-in by the user. Tokens of apps may not.`;
    case 'sign-in':
      return 'A sign-in by the user. Keys, and tokens of apps, may not.';
    case 'resource-server':
      return `A resource server with the scope \`${USE_PROVIDER_KEYS}\`, by Basic with its client secret or by an access token of its own.`;
  }
}

/** `x-api-key` as people write it. */
export const headerName = (name: string): string =>
  name
    .split('-')
    .map((part) => (part === 'api' ? 'API' : part.charAt(0).toUpperCase() + part.slice(1)))
    .join('-');
