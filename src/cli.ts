import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { addApiKeyCommands } from './cli/api-key.ts';
import { addClientCommands } from './cli/client.ts';
import { addConfigCommands } from './cli/config.ts';
import { addDocsCommand } from './cli/docs.ts';
import { addDoctorCommand } from './cli/doctor.ts';
import { reportFailure } from './cli/failure.ts';
import { addKeysCommands } from './cli/keys.ts';
import { addMigrateCommands } from './cli/migrate.ts';
import { addPurgeCommand } from './cli/purge.ts';
import { addResourceCommands } from './cli/resource.ts';
import { addSecretsCommands } from './cli/secrets.ts';
import { addUserCommands } from './cli/user.ts';
import { refusalOf } from './config/refusal.ts';

/** Nothing heavy is imported before a command runs, so that --help comes at once. */
const program = new Command('gatehouse')
  .description('Administers a Gatehouse. It reads the same environment as the server: see docs/configuration.md.')
  .version(packageJson.version)
  .option('--json', 'print JSON on standard output and nothing else')
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('Add --help to see how it is used.')
  // Inherited by the commands added below: usage errors arrive here instead of ending the process.
  .exitOverride();

addClientCommands(program);
addUserCommands(program);
addResourceCommands(program);
addApiKeyCommands(program);
addKeysCommands(program);
addSecretsCommands(program);
addMigrateCommands(program);
addPurgeCommand(program);
addConfigCommands(program);
addDoctorCommand(program);
addDocsCommand(program);

let running: Command | null = null;
program.hook('preAction', (_program, command) => {
  running = command;
});

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `gatehouse client list | head`: the reader has seen enough.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`error: ${refusalOf(error) ?? 'standard output cannot be written'}\n`);
  process.exit(1);
});
// There is nowhere left to say so.
process.stderr.on('error', () => {});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, running);
}
// Everything is closed by now; a half-open connection must not keep the command from ending. What is printed may still wait for
// its reader.
const end = (): void => void setTimeout(() => process.exit(), 1000).unref();
if (process.stdout.writableLength > 0) process.stdout.write('', end);
else end();
