/**
 * HTML that a stranger or a customer wrote, as a page that can do nothing: it has no origin, runs no script, sends no
 * form and loads nothing from anywhere. It may stand in a frame of the console, and is as harmless when it does not.
 */
import type { FastifyReply } from 'fastify';

const policy =
  "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; " +
  "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** The document for `reply` to send; links in it open a window of their own. */
export function strangerPage(reply: FastifyReply, html: string): string {
  reply.header('content-security-policy', policy);
  reply.type('text/html; charset=utf-8');
  // `base-uri` forbids a base that moves addresses; one that names only the window is taken.
  return `<base target="_blank">${html}`;
}
