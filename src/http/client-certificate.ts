import { TLSSocket } from 'node:tls';
import type { Context } from 'koa';
import { certificateThumbprint } from '../kit/thumbprint.ts';
import { parseAddress } from './request-context.ts';

/**
 * The SHA-256 thumbprint (base64url) of the certificate that the client showed in the TLS handshake; null when it showed none.
 * Nobody vouches for the certificate: all that is proved is that the client holds its key (RFC 8705 2.2).
 *
 * A request of a trusted proxy has it in the header named `header` (null: in none); the certificate of that connection would be
 * the proxy's own. From anybody else the header means nothing (RFC 9700 4.13), and the connection itself counts.
 */
export function certificateOf(
  ctx: Context,
  { header, isTrustedProxy }: { header: string | null; isTrustedProxy: (address: string) => boolean },
): string | null {
  const { socket } = ctx.req;
  if (isTrustedProxy(parseAddress(socket.remoteAddress ?? '') ?? '')) {
    const values = header === null ? [] : (ctx.req.headersDistinct[header.toLowerCase()] ?? []);
    // Two of them: one is not the proxy's, and there is no telling which.
    return values.length === 1 ? thumbprintInHeader(values[0] as string) : null;
  }
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return certificate ? certificateThumbprint(certificate.raw) : null;
}

/** RFC 9440 2.1: `:<DER in base64>:`. */
const BINARY = /^:([A-Za-z0-9+/]+={0,2}):$/;
/** Exactly one: a proxy that appends to what the client sent would put the client's first. */
const PEM = /^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/;

/** RFC 9440, or PEM with percent-encoding as nginx has it in $ssl_client_escaped_cert. */
function thumbprintInHeader(value: string): string | null {
  const binary = BINARY.exec(value)?.[1];
  if (binary !== undefined) return certificateThumbprint(Buffer.from(binary, 'base64'));
  let pem: string;
  try {
    pem = decodeURIComponent(value);
  } catch {
    return null;
  }
  return PEM.test(pem) ? certificateThumbprint(pem) : null;
}
