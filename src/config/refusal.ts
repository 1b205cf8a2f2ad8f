import { AppError, StoreUnavailableError } from '../kit/errors.ts';
import { ConfigError } from './problems.ts';

const SETTING: Readonly<Record<string, string>> = { database: 'DATABASE_URL', redis: 'REDIS_URL' };

/** What the system says about a file or an address, in words. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  ENOENT: 'it is not there',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EEXIST: 'a part of its path is no folder',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk has a fault',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'this process has too many files open (ulimit -n)',
  ENFILE: 'the system has too many files open',
  ETXTBSY: 'it is in use',
};

/**
 * Why a start or a command ends, in one sentence for the operator; null for what should not happen. Never a stack, never a bare
 * code, never a password: the words are ours, and of what a system or server said only the code and the path are repeated.
 */
export function refusalOf(error: unknown): string | null {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof StoreUnavailableError) return storeRefusal(error);
  if (error instanceof AppError) return error.internal ?? error.public;
  if (!(error instanceof Error)) return null;
  const { reason } = error as { reason?: unknown };
  // A statement that the database refused: the words of the storage.
  if (typeof reason === 'string') return `DATABASE_URL: the database cannot be used: ${reason}`;
  return error.name === 'DatabaseError' ? error.message : systemRefusal(error);
}

function storeRefusal({ store, reason, internal, message }: StoreUnavailableError): string {
  const setting = SETTING[store];
  if (setting === undefined || reason === undefined) return internal ?? message;
  return `${setting}: ${store === 'database' ? 'the database' : 'Redis'} cannot be used: ${reason}`;
}

type SystemError = NodeJS.ErrnoException & { port?: number; address?: string };

function systemRefusal(error: SystemError): string | null {
  const { code = '', syscall, path, port } = error;
  if (syscall === 'listen' || syscall === 'bind') return listenRefusal(error);
  if (syscall === 'getaddrinfo') return `HOST: its name does not resolve (${code})`;
  if (syscall === 'write') return `standard output cannot be written: ${WORDS[code] ?? code}`;
  if (syscall === undefined || WORDS[code] === undefined) return null;
  const subject = path ?? (port === undefined ? 'a file' : `port ${port}`);
  return `${subject} cannot be used: ${WORDS[code]} (${syscall}, ${code})`;
}

function listenRefusal({ code = '', port, address }: SystemError): string {
  if (code === 'EADDRINUSE') return `PORT: ${port} is in use by another process`;
  if (code === 'EACCES') return `PORT: ${port} may not be used by this user; ports below 1024 need a privilege`;
  if (code === 'EADDRNOTAVAIL') return `HOST: ${address} is no address of this machine`;
  return `PORT: ${port} cannot be used (${code})`;
}
