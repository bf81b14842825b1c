/**
 * Answers where there is no request to speak of: bytes that are no HTTP, headers without end, a client that stalled.
 * The connection is closed after it. No path is known here, so the native envelope is used.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { envelope } from './envelopes.ts';

const answers: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request-timeout', 'The request took too long to arrive'],
  HPE_HEADER_OVERFLOW: [431, 'headers-too-large', 'The headers of the request are too large'],
};

export function answerBrokenRequest({ code = '' }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [statusCode, name, message] = answers[code] ?? [400, 'request-malformed', 'This is not HTTP'];
  const body = JSON.stringify(
    envelope('', { statusCode, code: name, message, field: '', retryAfterS: undefined }),
  );
  const head = [
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Not `end`: that would wait for a client that has stopped to close its side.
  socket.destroySoon();
}
