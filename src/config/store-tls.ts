import { isThisMachine } from '../kit/addresses.ts';
import { AddressError, flagOf, shown, type Word } from './store-address.ts';

/** How the connection to a store is encrypted. Files are named here and read when the store is opened. */
export interface StoreTls {
  /** What is verified of the server: nothing, that its certificate is of an authority, or that it is also for this host. */
  readonly verify: 'nothing' | 'authority' | 'host';
  /** PEM files: the authorities in place of the usual ones, and what we show of ourselves. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
}

type Verify = StoreTls['verify'];

/** What one word says. `maybe`: the server decides. A word that says nothing of a part leaves it to the others. */
interface Statement {
  encrypted?: boolean | 'maybe';
  verify?: Verify;
  file?: 'ca' | 'cert' | 'key' | 'passphrase';
  /** libpq: with an authority at hand, `require` verifies. */
  atLeast?: true;
}

const ENCRYPTED: Statement = { encrypted: true };
const CLEAR: Statement = { encrypted: false };
const BLIND: Statement = { encrypted: true, verify: 'nothing' };

/** libpq's and MySQL's words for a mode, and that of pg for one without verification. */
const MODES: Readonly<Record<string, Statement>> = {
  disable: CLEAR,
  disabled: CLEAR,
  allow: { encrypted: 'maybe' },
  prefer: { encrypted: 'maybe' },
  preferred: { encrypted: 'maybe' },
  require: { ...BLIND, atLeast: true },
  required: { ...BLIND, atLeast: true },
  'no-verify': BLIND,
  'skip-verify': BLIND,
  'verify-ca': { encrypted: true, verify: 'authority' },
  'verify-full': { encrypted: true, verify: 'host' },
  'verify-identity': { encrypted: true, verify: 'host' },
};

type Reader = (word: Word) => Statement | null;

const mode: Reader = ({ value }) => MODES[value.toLowerCase().replaceAll('_', '-')] ?? null;
const flag =
  (yes: Statement, no: Statement): Reader =>
  (word) => {
    const given = flagOf(word);
    return given === null ? null : given ? yes : no;
  };
const oneOf =
  (values: Readonly<Record<string, Statement>>): Reader =>
  ({ value }) =>
    values[value.toLowerCase()] ?? null;
const file =
  (which: NonNullable<Statement['file']>): Reader =>
  ({ value }) =>
    value === '' ? null : { file: which };
/** The first that has an answer. */
const either =
  (...readers: readonly Reader[]): Reader =>
  (word) =>
    readers.reduce<Statement | null>((found, read) => found ?? read(word), null);

const VERIFIED = flag({ verify: 'authority' }, { verify: 'nothing' });
const UNVERIFIED = flag({ verify: 'nothing' }, {});

/** Every word for TLS that drivers, their documentation and providers use, by what its users expect of it. */
const READERS: Readonly<Record<string, Reader>> = {
  // libpq, pg; MySQL's and MariaDB's command line, and so their providers; JDBC; asyncpg.
  sslmode: mode,
  ssl: either(flag(ENCRYPTED, CLEAR), mode, ofJson),
  // Go, and many of the younger ones.
  tls: either(flag(ENCRYPTED, CLEAR), mode),
  skipverify: UNVERIFIED,
  // Connector/J. `requireSSL=false` takes nothing back.
  usessl: flag(ENCRYPTED, CLEAR),
  requiressl: flag(BLIND, {}),
  verifyservercertificate: VERIFIED,
  trustservercertificate: UNVERIFIED,
  // Prisma.
  sslaccept: oneOf({ strict: { verify: 'host' }, accept_invalid_certs: { verify: 'nothing' } }),
  // mysqlclient, PyMySQL.
  sslverifycert: VERIFIED,
  sslverifyservercert: VERIFIED,
  sslverifyidentity: flag({ verify: 'host' }, {}),
  rejectunauthorized: flag({ verify: 'host' }, { verify: 'nothing' }),
  // redis-py, Lettuce.
  sslcertreqs: oneOf({ none: { verify: 'nothing' }, required: ENCRYPTED }),
  sslcheckhostname: flag({ verify: 'host' }, { verify: 'authority' }),
  verifypeer: either(
    flag({ verify: 'host' }, { verify: 'nothing' }),
    oneOf({ none: { verify: 'nothing' }, ca: { verify: 'authority' }, full: { verify: 'host' } }),
  ),
  // Files.
  sslrootcert: file('ca'),
  sslca: file('ca'),
  sslcacerts: file('ca'),
  serversslcert: file('ca'),
  sslcert: file('cert'),
  sslcertfile: file('cert'),
  sslkey: file('key'),
  sslkeyfile: file('key'),
  sslpassword: file('passphrase'),
};

export const isTlsWord = ({ key }: Word): boolean => key in READERS;

/** mysql2's: `ssl={"rejectUnauthorized":true}`. Certificates are files here. */
function ofJson({ value }: Word): Statement | null {
  if (!value.startsWith('{')) return null;
  let members: Record<string, unknown>;
  try {
    members = JSON.parse(value) as Record<string, unknown>;
  } catch {
    return null;
  }
  const { rejectUnauthorized = true, verifyIdentity, ...others } = members;
  const known =
    typeof rejectUnauthorized === 'boolean' && (verifyIdentity === undefined || typeof verifyIdentity === 'boolean');
  if (!known || Object.keys(others).length > 0) return null;
  return {
    encrypted: true,
    verify: rejectUnauthorized ? (verifyIdentity === false ? 'authority' : 'host') : 'nothing',
  };
}

const HOW =
  'write sslmode=verify-full, verify-ca, require or disable, and sslrootcert=<file> for the certificate of the authority';
const ORDER: readonly Verify[] = ['nothing', 'authority', 'host'];

/**
 * What the words say together; null: in the clear. A word that asks for encryption is followed or refused. Of two words about
 * verification the stricter counts, and without any the certificate is verified for the host.
 * @param demandedBy what else asks for TLS: the scheme, or another word.
 */
export function readTls(
  words: readonly Word[],
  { host, demandedBy = null }: { host: string; demandedBy?: string | null },
): StoreTls | null {
  const read = words.filter(isTlsWord).map((word) => ({ word, said: READERS[word.key]?.(word) ?? null }));
  const unread = read.filter(({ said }) => said === null);
  if (unread.length > 0) {
    throw new AddressError(...unread.map(({ word }) => `the value of ${shown(word)} is not known; ${HOW}`));
  }
  const statements = read.map(({ word, said }) => ({ word, said: said ?? {} }));
  const files = Object.fromEntries(
    statements.flatMap(({ word, said }) => (said.file ? [[said.file, word.value]] : [])),
  );
  const verifies = statements.flatMap(({ said }) => said.verify ?? []);
  const refusal = statements.find(({ said }) => said.encrypted === false);
  const demand = statements.find(
    ({ said }) => said.encrypted === true || said.file || (said.verify !== undefined && said.verify !== 'nothing'),
  );
  if (refusal && (demand || demandedBy)) {
    const other = demand ? shown(demand.word) : demandedBy;
    throw new AddressError(`${shown(refusal.word)} and ${other} contradict each other; ${HOW}`);
  }
  if (refusal) return null;
  if (!demand && !demandedBy && verifies.length === 0) {
    const maybe = statements.find(({ said }) => said.encrypted === 'maybe');
    // Whether anybody could listen does not depend on the server's answer.
    if (!maybe || host.startsWith('/') || isThisMachine(host)) return null;
    throw new AddressError(
      `${shown(maybe.word)}=${maybe.word.value} would be in the clear when the server likes; ${HOW}`,
    );
  }
  if (host.startsWith('/'))
    throw new AddressError('a connection by socket is not encrypted; take the words for TLS out');
  const asked = verifies.sort((a, b) => ORDER.indexOf(b) - ORDER.indexOf(a))[0] ?? 'host';
  return {
    verify: withFiles(asked, files, statements),
    ca: files.ca === 'system' ? null : (files.ca ?? null),
    cert: files.cert ?? null,
    key: files.key ?? null,
    passphrase: files.passphrase ?? null,
  };
}

function withFiles(
  verify: Verify,
  { ca, cert, key, passphrase }: Record<string, string>,
  statements: readonly { said: Statement }[],
): Verify {
  if ((cert === undefined) !== (key === undefined))
    throw new AddressError(
      'sslcert and sslkey are our own certificate and its key: name both or neither (that of the authority is sslrootcert)',
    );
  if (passphrase !== undefined && key === undefined) throw new AddressError('sslpassword opens sslkey; name that too');
  if (ca === undefined || verify !== 'nothing') return verify;
  if (statements.every(({ said }) => said.verify !== 'nothing' || said.atLeast)) return 'authority';
  throw new AddressError(`the certificate of an authority does nothing when the server's is not verified; ${HOW}`);
}
