import { z } from 'zod';
import { SETTINGS } from './config.ts';

/** docs/configuration.md: the settings as they are, and what cannot be said in a table. `npm run docs` writes it. */
export function configurationPage(): string {
  const rows = Object.entries(SETTINGS).map(([name, schema]) => ({ name, row: row(name, schema) }));
  const of = (section: RegExp): string =>
    [HEAD, ...rows.filter(({ name }) => sectionOf(name) === section).map((each) => each.row)].join('\n');
  const [paths, lifetimes, keys, server] = SECTIONS;
  return `<!-- Generated from src/config/config.ts by \`npm run docs\`. -->
# Configuration

Gatehouse reads environment variables and nothing else. Names that platforms agree on are plain (\`PORT\`, \`DATABASE_URL\`); the
rest begins with \`GATEHOUSE_\`. An unknown \`GATEHOUSE_\` name is refused, with a suggestion, so that a typing error never leaves a
default in force. An empty value counts as not set. All problems are named at once, before anything starts:

\`\`\`sh
npx gatehouse config check
\`\`\`

prints them, or the configuration in force.

- **Durations** are a number and \`s\`, \`m\`, \`h\` or \`d\`: \`90s\`, \`15m\`, \`24h\`, \`14d\`. A bare number is seconds.
- **Lists** are separated by commas.
- **Flags** are \`true\` or \`false\` (or \`1\`, \`0\`).

## Secrets

\`GATEHOUSE_SECRETS\` is a comma-separated list of secrets of at least 32 characters each. The first one seals the keys in the
database, all of them open. \`openssl rand -base64 32\` makes one; production refuses a first one that can be guessed (one character
again and again, a pattern, words). It is not part of the configuration that is printed or logged.

Production requires it. Development keeps the list in \`secrets.json\` of \`GATEHOUSE_DATA_DIR\`, readable by its owner alone, and makes
it once, for an empty database. A database whose secret is gone is not opened with a new one: the server refuses to start.

\`GATEHOUSE_IMPORT_HMAC_KEY\` is the HMAC key of the system that API keys were imported from (\`hmac-sha256\`). Every process needs it for
as long as such keys are in use: without it they look unknown.

To replace a secret:

1. Put a new one in front: \`GATEHOUSE_SECRETS=new,old\`, in development \`{ "secrets": ["new", "old"] }\` in \`data/secrets.json\`. Restart
   every process. (With processes that restart one after the other, first give all of them \`old,new\`: until its restart, a
   process cannot open a signing key that one with the new secret in front makes meanwhile.)
2. \`npx gatehouse secrets rotate\` seals every key anew, while servers run.
3. Drop the old one: \`GATEHOUSE_SECRETS=new\`. Restart every process.

## Server and stores

${of(server)}

## Endpoints

Relative to the issuer. Clients find them in \`/.well-known/openid-configuration\`.

${of(paths)}

## Lifetimes

${of(lifetimes)}

## Signing keys

Keys rotate by themselves; \`npx gatehouse keys list\` shows when. See [operations](operations.md).

${of(keys)}

## Examples

On one machine, behind a proxy on the same machine that terminates TLS:

\`\`\`sh
NODE_ENV=production
ISSUER=https://auth.example.com
DATABASE_URL=sqlite:/var/lib/gatehouse/gatehouse.sqlite
GATEHOUSE_HOST=127.0.0.1
GATEHOUSE_TRUSTED_PROXIES=127.0.0.1
GATEHOUSE_SECRETS=…
\`\`\`

On several machines:

\`\`\`sh
NODE_ENV=production
ISSUER=https://auth.example.com
DATABASE_URL=postgres://gatehouse:…@db.internal/gatehouse?sslmode=verify-full&sslrootcert=/etc/gatehouse/db-ca.pem
REDIS_URL=rediss://cache.internal:6379
WEB_CONCURRENCY=4
GATEHOUSE_TRUSTED_PROXIES=10.0.0.0/8
GATEHOUSE_METRICS_PORT=9464
GATEHOUSE_METRICS_HOST=0.0.0.0
GATEHOUSE_SECRETS=…
\`\`\`
`;
}

const HEAD = '| Name | Values | Default | Meaning |\n| --- | --- | --- | --- |';

/** Which section a setting stands in: the first that matches. The path of the metrics is for operators, not an endpoint. */
const SECTIONS = [/_PATH_/, /_LIFETIME$|_GRACE$/, /_KEY_/, /^/] as const;
const sectionOf = (name: string): RegExp | undefined => SECTIONS.find((section) => section.test(name));

function row(name: string, schema: z.ZodType): string {
  const description = schema.description ?? '';
  // A default that depends on the machine or on another setting is told in words.
  const byDefault = description.includes('Default') ? undefined : defaultOf(schema);
  const cells = [
    `\`${name}\``,
    valuesOf(schema),
    byDefault === undefined || byDefault === '' ? '' : `\`${byDefault}\``,
    description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** As it would be written in the environment. */
function defaultOf(schema: unknown): unknown {
  if (schema instanceof z.ZodDefault) return schema.def.defaultValue;
  return schema instanceof z.ZodPipe ? defaultOf(schema.def.in) : undefined;
}

function valuesOf(schema: unknown): string {
  const values = schema instanceof z.ZodType ? schema.meta()?.values : undefined;
  if (typeof values === 'string') return values;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return valuesOf(schema.def.innerType);
  if (schema instanceof z.ZodPipe) return valuesOf(schema.def.in);
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(', ');
  if (schema instanceof z.ZodNumber) return `${schema.minValue} to ${schema.maxValue}`;
  return schema instanceof z.ZodURL ? 'URL' : 'text';
}
