/** Requests that Node cannot read: too many headers, a broken line, too slow. They never become a request of ours, and get an answer all the same. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../kit/errors.ts';
import { newId } from '../kit/ids.ts';
import type { Log } from '../kit/log.ts';
import { createSeldom } from '../kit/seldom.ts';

export type UnreadableRequest = (error: NodeJS.ErrnoException, socket: Socket) => void;

/** So many lines of the log in ten seconds; the metric counts all. */
const MOST_LINES = 10;

/** Errors of the connection, which only the caller can cause. */
export const isConnectionFault = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return (
    code.startsWith('HPE_') ||
    [
      'ECONNRESET',
      'ECONNABORTED',
      'EPIPE',
      'ETIMEDOUT',
      'ERR_STREAM_PREMATURE_CLOSE',
      'ERR_HTTP_REQUEST_TIMEOUT',
    ].includes(code)
  );
};

function asAppError({ code }: NodeJS.ErrnoException, maxHeaderBytes: number): AppError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('headers_too_large', {
        public: `the request's headers are larger than ${maxHeaderBytes} bytes`,
      });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request_timeout');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new AppError('payload_too_large');
    default:
      return new AppError('invalid_request', { public: 'the request is not valid HTTP' });
  }
}

/** The body serves both doors: members of OAuth (RFC 6749 5.2) and of a problem (RFC 9457); which one was asked for cannot be read. */
export function createUnreadableRequests({
  maxHeaderBytes,
  log,
  observe,
}: {
  maxHeaderBytes: number;
  log: Log;
  observe: (sample: { method: string; route: string; status: number; seconds: number }) => void;
}): UnreadableRequest {
  const seldom = createSeldom({ most: MOST_LINES, withinMs: 10_000 });
  return (thrown, socket) => {
    const error = asAppError(thrown, maxHeaderBytes);
    const { status, title, oauth } = error.entry;
    const requestId = newId('req');
    observe({ method: 'other', route: 'unreadable', status, seconds: 0 });
    const line = seldom(error.code);
    if (line) {
      log.info(
        { requestId, route: 'unreadable', status, reason: thrown.code, ip: socket.remoteAddress, ...line },
        'request could not be read',
      );
    }
    // An answer that has begun cannot be followed by another; and who is gone gets none.
    const begun = (socket as { _httpMessage?: { headersSent?: boolean } | null })._httpMessage?.headersSent === true;
    if (!socket.writable || begun || thrown.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const body = JSON.stringify({
      status,
      title,
      code: error.code,
      detail: error.public,
      request_id: requestId,
      error: oauth,
      error_description: error.public,
    });
    socket.end(
      [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
        'Content-Type: application/problem+json',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Cache-Control: no-store',
        `X-Request-Id: ${requestId}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
      () => socket.destroySoon(),
    );
  };
}
