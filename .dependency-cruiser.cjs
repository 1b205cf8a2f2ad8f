/**
 * The layer rule and the doors of the source tree, checked by `npm run layers`.
 * Ambient values (process.env, Date.now, …) are no imports; .ci/check-doors.ts checks those.
 *
 * Both read TypeScript through the compiler's JavaScript API, which TypeScript 7 does not offer. So package.json has
 * both, the way Microsoft lays them side by side: `typescript` is 6.0 (the API), `@typescript/native` is 7.0 (`tsc`).
 */

/** Left to right: a file imports from its own layer or from one further left. */
const LAYERS = [
  'kit',
  'domain',
  'config',
  'storage',
  'http',
  'endpoints',
  'jobs',
  ['api', 'app', 'services', 'boot', 'define-config'],
  ['main', 'cli', 'server'],
];

/** Package or built-in module → the only places that import it. A package not listed here may not be imported at all. */
const DOORS = {
  knex: ['src/storage/sql/', 'knexfile.ts', 'seeds/'],
  // The drivers knex loads by name.
  pg: ['src/storage/sql/'],
  mysql2: ['src/storage/sql/'],
  sqlite3: ['src/storage/sql/'],
  ioredis: ['src/storage/redis/'],
  'lru-cache': ['src/kit/'],
  'oidc-provider': ['src/endpoints/oauth/', 'src/endpoints/interactions/'],
  koa: ['src/http/', 'src/endpoints/', 'src/api.ts', 'src/app.ts'],
  // Composes the engine's middleware into a handler, as Koa itself does.
  'koa-compose': ['src/endpoints/oauth/'],
  keygrip: ['src/endpoints/oauth/', 'src/app.ts'],
  eta: ['src/http/'],
  zod: ['src/config/', 'src/domain/', 'src/http/', 'src/endpoints/'],
  jose: ['src/domain/signing-keys/', 'src/domain/credentials/', 'src/endpoints/oauth/'],
  '@node-rs/argon2': ['src/domain/accounts/'],
  pino: ['src/kit/'],
  'prom-client': ['src/http/', 'src/endpoints/ops/'],
  commander: ['src/cli.ts', 'src/cli/'],
};
const BUILT_IN_DOORS = {
  crypto: ['src/kit/', 'src/domain/signing-keys/'],
};

/** What the doors bind: everything that ships. Tests and benchmarks may use any package. */
const SHIPPED = ['^src/', '^seeds/', '^knexfile\\.ts$'];

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const anyOf = (texts) => `(?:${texts.map(escaped).join('|')})`;
const startingWith = (paths) => paths.map((path) => `^${escaped(path)}${path.endsWith('/') ? '' : '$'}`);
/** A package's own files, or its types: a type-only import counts. `@koa/router` has its types in `@types/koa__router`. */
const packagePath = (name) => {
  const typesName = name.replace(/^@/, '').replace('/', '__');
  return `(?:^|/)node_modules/(?:${escaped(name)}|@types/${escaped(typesName)})/`;
};
const layerPath = (names) => `^src/${anyOf([names].flat())}(?:/|\\.ts$)`;

const layerRules = LAYERS.slice(0, -1).map((layer, index) => ({
  name: `layer-${layer}`,
  comment: `${layer} imports only from itself and from the layers left of it`,
  severity: 'error',
  from: { path: layerPath(layer) },
  to: { path: layerPath(LAYERS.slice(index + 1).flat()) },
}));

const doorRules = Object.entries(DOORS).map(([name, allowed]) => ({
  name: `door-${name}`,
  comment: `only ${allowed.join(', ')} may import ${name}`,
  severity: 'error',
  from: { path: SHIPPED, pathNot: startingWith(allowed) },
  to: { path: packagePath(name) },
}));

const builtInDoorRules = Object.entries(BUILT_IN_DOORS).map(([name, allowed]) => ({
  name: `door-node:${name}`,
  comment: `only ${allowed.join(', ')} may import node:${name}`,
  severity: 'error',
  from: { path: SHIPPED, pathNot: startingWith(allowed) },
  to: { path: `^(?:node:)?${escaped(name)}$`, dependencyTypes: ['core'] },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    ...doorRules,
    ...builtInDoorRules,
    {
      name: 'door-missing',
      comment: 'every package has its door: add it to DOORS in .dependency-cruiser.cjs',
      severity: 'error',
      from: { path: SHIPPED },
      to: { path: '(?:^|/)node_modules/', pathNot: Object.keys(DOORS).map(packagePath) },
    },
    {
      name: 'engine-internals',
      comment: 'what oidc-provider does not export is imported in one file, so an upgrade is checked in one file',
      severity: 'error',
      from: { path: SHIPPED, pathNot: '^src/endpoints/oauth/internals\\.ts$' },
      to: {
        path: '(?:^|/)node_modules/oidc-provider/lib/',
        pathNot: '(?:^|/)node_modules/oidc-provider/lib/index\\.js$',
      },
    },
    {
      name: 'endpoint-groups-apart',
      comment: 'an endpoint group never imports another',
      severity: 'error',
      from: { path: '^src/endpoints/([^/]+)/' },
      to: { path: '^src/endpoints/[^/]+/', pathNot: '^src/endpoints/$1/' },
    },
    {
      name: 'storage-backends-apart',
      comment: 'storage/sql and storage/redis do not know each other; open-storage.ts puts them together',
      severity: 'error',
      from: { path: '^src/storage/(sql|redis)/' },
      to: { path: '^src/storage/(?:sql|redis)/', pathNot: '^src/storage/$1/' },
    },
    {
      name: 'source-stands-alone',
      comment:
        'the source needs nothing of the repository but itself, package.json and, in development, the demonstration data',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        pathNot: ['^src/', '(?:^|/)node_modules/', '^package\\.json$', '^seeds/demo\\.ts$'],
        dependencyTypesNot: ['core', 'unknown'],
      },
    },
    {
      name: 'no-cycles',
      comment: 'type imports included',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'every import leads somewhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-packages',
      comment: 'what ships uses no devDependency but type definitions',
      severity: 'error',
      from: { path: SHIPPED },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], pathNot: '(?:^|/)node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Type imports are imports.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
    skipAnalysisNotInRules: true,
  },
};
