import type { Command } from 'commander';
import { type Account, displayName } from '../domain/accounts/account.ts';
import { UsageError } from './failure.ts';
import { everyPage, given } from './input.ts';
import { readPassword } from './password.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { iso, isoOrNull, table } from './text.ts';

interface CreateOptions {
  email: string;
  givenName?: string;
  familyName?: string;
  verified?: boolean;
  passwordStdin?: boolean;
}

export function addUserCommands(program: Command): void {
  const user = program.command('user').description('people who sign in');
  const fromStdin = ['--password-stdin', 'read the password from standard input instead of asking'] as const;

  user
    .command('create')
    .description('Create an account; asks for the password')
    .requiredOption('--email <address>', 'what the person signs in with')
    .option('--given-name <name>')
    .option('--family-name <name>')
    .option('--verified', 'the address is known to be theirs')
    .option(...fromStdin)
    .action(answering(create));
  user.command('list').description('All accounts').action(answering(list));
  user
    .command('disable <email-or-id>')
    .description('End every session and token of an account and let nobody in')
    .action(answering(disable));
  user
    .command('delete <email-or-id>')
    .description('Delete an account for good, with its tokens, consents, keys and clients; takes six seconds')
    .action(answering(remove));
  user.command('enable <email-or-id>').description('Let a disabled account in again').action(answering(enable));
  user
    .command('set-password <email-or-id>')
    .description('Replace the password and sign the person out everywhere; asks for it')
    .option(...fromStdin)
    .action(answering(setPassword));
  user
    .command('scopes <email-or-id> [scope...]')
    .description('Set what an account may hold and hand on to its keys and clients')
    .option('--all', 'whatever users may have, now and later; as new accounts have it')
    .option('--none', 'nothing at all')
    .action(answering(setScopes));
}

const create = ({ passwordStdin = false, verified, ...options }: CreateOptions) =>
  withServices(async ({ manageAccounts }) => {
    const password = await readPassword(passwordStdin);
    const account = await manageAccounts.create({
      ...given({ ...options, emailVerified: verified }),
      email: options.email,
      password,
    });
    return { json: record(account), text: `Account ${account.id} is created for ${account.email}.` };
  });

const list = () =>
  withServices(async ({ stores }) => {
    const accounts = await everyPage(stores.accounts.list, (account) => account.id);
    const rows = accounts.map((account) => [account.id, account.email, nameOf(account), stateOf(account)]);
    return {
      json: accounts.map(record),
      text: table(
        ['id', 'email', 'name', 'state'],
        rows,
        'There are no accounts. Create one with: gatehouse user create',
      ),
    };
  });

const disable = (_options: object, who: string) =>
  withServices(async ({ manageAccounts }) => {
    const account = await manageAccounts.disable(who);
    return {
      json: record(account),
      text: `Account ${account.id} (${account.email}) is disabled; its sessions, grants and tokens are gone.`,
    };
  });

const remove = (_options: object, who: string) =>
  withServices(async ({ deleteAccount }) => {
    const { id, email } = await deleteAccount(who);
    return {
      json: { id, deleted: true },
      text: `Account ${id} (${email}) is deleted, with its sessions, tokens, consents, keys and clients.`,
    };
  });

const enable = (_options: object, who: string) =>
  withServices(async ({ manageAccounts }) => {
    const account = await manageAccounts.enable(who);
    return { json: record(account), text: `Account ${account.id} (${account.email}) is enabled.` };
  });

const setPassword = ({ passwordStdin = false }: { passwordStdin?: boolean }, who: string) =>
  withServices(async ({ manageAccounts }) => {
    const account = await manageAccounts.setPassword(who, await readPassword(passwordStdin));
    return {
      json: record(account),
      text: `Account ${account.id} (${account.email}) has a new password and is signed out everywhere.`,
    };
  });

interface ScopeOptions {
  all?: boolean;
  none?: boolean;
}

const setScopes = ({ all = false, none = false }: ScopeOptions, who: string, ...given: string[]) => {
  // Commander hands over the repeated argument as one list.
  const scopes = given.flat();
  // Neither a forgotten argument nor one too many may change what somebody holds.
  if ([all, none, scopes.length > 0].filter(Boolean).length !== 1) {
    throw new UsageError('name the scopes, or give --all or --none');
  }
  return withServices(async ({ manageAccounts }) => {
    const account = await manageAccounts.setScopes(who, all ? null : scopes);
    const held = account.scopes === null ? 'everything users may have' : account.scopes.join(' ') || 'nothing';
    return { json: record(account), text: `Account ${account.id} (${account.email}) may have: ${held}.` };
  });
};

/** An account for --json: named one by one, so that a new column is not published unseen. */
const record = (account: Account) => ({
  id: account.id,
  email: account.email,
  emailVerified: account.emailVerified,
  givenName: account.givenName,
  familyName: account.familyName,
  hasPassword: account.passwordHash !== null,
  scopes: account.scopes,
  disabledAt: isoOrNull(account.disabledAt),
  createdAt: iso(account.createdAt),
  updatedAt: iso(account.updatedAt),
});

const nameOf = (account: Account): string => (account.givenName || account.familyName ? displayName(account) : '');
const stateOf = ({ disabledAt, emailVerified }: Account): string =>
  [disabledAt === null ? 'enabled' : 'disabled', emailVerified ? '' : 'email not verified'].filter(Boolean).join(', ');
