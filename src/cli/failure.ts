import { type Command, CommanderError } from 'commander';
import { readEnv } from '../config/env.ts';
import { ConfigError } from '../config/problems.ts';
import { refusalOf } from '../config/refusal.ts';
import { AppError } from '../kit/errors.ts';

/** The command was given something it cannot read. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Domain rules name the fields of a record; whoever types a command knows its options. */
const OPTION_OF_FIELD: Readonly<Record<string, string>> = {
  id: '--id',
  name: '--name',
  redirectUris: '--redirect-uri',
  postLogoutRedirectUris: '--post-logout-redirect-uri',
  grantTypes: '--grant',
  scopes: '--scope',
  resources: '--resource',
  allowedOrigins: '--origin',
  requirePkce: '--no-pkce',
  jwks: '--jwks',
  certificateThumbprints: '--certificate',
  tokenBinding: '--token-binding',
  identifier: '--identifier',
  accessTokenLifetimeSeconds: '--lifetime',
  overlapSeconds: '--overlap',
  email: '--email',
  environment: '--environment',
  expires_in_days: '--expires-in-days',
  allowed_addresses: '--allow-address',
  namespace: '--namespace',
  limit: '--limit',
  overlap_seconds: '--overlap',
};

/** Says on standard error what went wrong and what to do next; returns the exit code. */
export function reportFailure(error: unknown, running: Command | null): number {
  const say = (...lines: string[]): boolean => process.stderr.write(`${lines.join('\n')}\n`);
  const usage = `See: ${commandLine(running)} --help`;
  if (error instanceof CommanderError) {
    // Commander has printed it already; help that was asked for is no error.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof UsageError) {
    say(`error: ${error.message}`, usage);
    return 2;
  }
  if (error instanceof ConfigError) {
    say(error.message, 'See docs/configuration.md, or run: gatehouse config check');
  } else if (error instanceof AppError && error.code !== 'temporarily_unavailable') {
    say(...problemsOf(error).map((problem) => `error: ${problem}`), nextStep(error, running) ?? usage);
  } else {
    const refusal = refusalOf(error);
    if (refusal === null) say(`error: ${messageOf(error)}`, 'This should not happen; gatehouse doctor may tell more.');
    else say(`error: ${refusal}`, 'See what gatehouse doctor finds.');
  }
  return 1;
}

/** A message may be of any length; the stack is for those who ask for it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return /^(debug|trace)$/.test(readEnv().LOG_LEVEL ?? '') ? (error.stack ?? error.message) : error.message;
}

/** `a: wrong; b: wrong` as two problems, each under the option it came from. */
function problemsOf(error: AppError): string[] {
  const parts = error.public.split('; ');
  const named = parts.every((part) => /^\w+: /.test(part));
  return (named ? parts : [error.public]).map((part) =>
    part.replace(/^(\w+)(?=: )/, (field) => OPTION_OF_FIELD[field] ?? field),
  );
}

function nextStep(error: AppError, running: Command | null): string | null {
  const group = running?.parent;
  const hasList = group?.commands.some((command) => command.name() === 'list');
  return error.code === 'not_found' && group && hasList ? `See what there is: ${commandLine(group)} list` : null;
}

function commandLine(command: Command | null): string {
  if (!command) return 'gatehouse';
  return command.parent ? `${commandLine(command.parent)} ${command.name()}` : command.name();
}
