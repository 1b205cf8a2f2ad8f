import { StoreRefusal } from '../kit/errors.ts';

/** Codes of Node, OpenSSL and mysql2; pg has none and says the two sentences below. What a statement failed with is none of these. */
const TLS_CODE =
  /^(?:HANDSHAKE_(?:NO_)?SSL|ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|(?:DEPTH_ZERO_)?SELF_SIGNED|UNABLE_TO_|ER_SECURE_TRANSPORT_REQUIRED$)/;
const SENTENCES = new Set([
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
]);

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/not support|NO_SSL|wrong.version.number/i, 'the server offers no TLS, which its address asks for'],
  [/ER_SECURE_TRANSPORT/, 'the server takes encrypted connections only; add sslmode=verify-full to its address'],
  [
    /altname/i,
    'the certificate of the server is for another name; connect by the name it is for, or write sslmode=verify-ca',
  ],
  [/expired/i, 'the certificate of the server has expired'],
  [/not.yet.valid/i, 'the certificate of the server is not valid yet; is our clock right?'],
  [
    /self.signed|issuer|verify|untrusted|signature/i,
    'the certificate of the server is of no authority that is known here; name that with sslrootcert=<file>',
  ],
];

/** Why TLS with a store failed, in words for the operator; null when that is not why. */
export function tlsFailure(error: unknown): StoreRefusal | null {
  if (!(error instanceof Error)) return null;
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (!TLS_CODE.test(code) && !(code === '' && SENTENCES.has(error.message))) return null;
  const text = `${code} ${error.message}`;
  return new StoreRefusal(REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? 'the TLS handshake failed');
}
