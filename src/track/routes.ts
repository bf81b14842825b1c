/**
 * What recipients' mail programs and browsers ask for: the pixel, the tracked links, the unsubscribe page. A token that
 * does not verify is a plain 404, whatever it asks for.
 */
/// <reference types="@fastify/swagger" />
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../api/app.ts';
import { trackingPaths } from '../tokens/links.ts';
import type { SignedTokens, Subscription } from '../tokens/signed.ts';
import { type AnswerVisit, plainHeaders, visitAnswers, type VisitParts } from './answers.ts';
import { comeBack, leave, type LeaveParts } from './unsubscribe.ts';
import {
  type PageChoice,
  pageChoices,
  pageLanguage,
  pageSecurityPolicy,
  type PageState,
  unsubscribePage,
} from './unsubscribe-page.ts';

export interface TrackParts extends LeaveParts, VisitParts {
  readonly tokens: Pick<SignedTokens, 'readOpen' | 'readClick' | 'readUnsubscribe'>;
}

const largestFormBytes = 8 * 1024;

export function trackRoutes(app: App, parts: TrackParts): void {
  void app.register(async (scope) => {
    // One-click posts come with whatever content type a mailbox provider thinks of, such as cannot be read as well.
    scope.addHook('onRequest', async ({ headers }) => {
      if (headers['content-type'] !== undefined) headers['content-type'] = 'text/plain';
    });
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      '*',
      { parseAs: 'string', bodyLimit: largestFormBytes },
      (_request, body, done) => done(null, body),
    );
    const { open, click } = visitAnswers(parts);
    const shared = { schema: { hide: true }, config: { onTrackingNames: true } } as const;
    const reading = { ...shared, method: ['GET', 'HEAD'], exposeHeadRoute: false };
    scope.route({
      ...reading,
      url: `${trackingPaths.open}*`,
      handler: (request: FastifyRequest, reply) => sendVisitAnswer(request, reply, open, parts),
    });
    scope.route({
      ...reading,
      url: `${trackingPaths.click}*`,
      handler: (request: FastifyRequest, reply) => sendVisitAnswer(request, reply, click, parts),
    });
    scope.route({
      ...reading,
      url: `${trackingPaths.unsubscribe}*`,
      handler: (request: FastifyRequest, reply) => answerQuestion(request, reply, parts),
    });
    scope.route({
      ...shared,
      method: 'POST',
      url: `${trackingPaths.unsubscribe}*`,
      handler: (request: FastifyRequest, reply) => answerWish(request, reply, parts),
    });
  });
}

/** A wildcard of the route: a named parameter may not be as long as a token. */
function tokenOf({ params }: FastifyRequest): string {
  return (params as { '*': string })['*'];
}

function sendVisitAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  answerVisit: AnswerVisit,
  { recorder }: TrackParts,
) {
  const { method, url: path, headers, ip: address } = request;
  const answer = answerVisit(tokenOf(request), { path, headers, address, isHead: method === 'HEAD' });
  if (answer === undefined) return notFound(reply);
  recorder.writeDown();
  const { statusCode, location, body } = answer;
  if (location !== undefined) reply.header('location', location);
  return reply.code(statusCode).headers(answer.headers).send(Buffer.from(body, 'latin1'));
}

function answerQuestion(request: FastifyRequest, reply: FastifyReply, { tokens }: TrackParts) {
  const subscription = tokens.readUnsubscribe(tokenOf(request));
  if (subscription === undefined) return notFound(reply);
  return sendPage(request, reply, subscription, 'ask');
}

async function answerWish(request: FastifyRequest, reply: FastifyReply, parts: TrackParts) {
  const subscription = parts.tokens.readUnsubscribe(tokenOf(request));
  if (subscription === undefined) return notFound(reply);
  const wish = readWish(request.body);
  switch (wish) {
    case 'one-click':
      await leave(subscription, { scope: 'stream', how: 'one-click' }, parts);
      return plain(reply, 200).send('Unsubscribed\n');
    case 'stream':
    case 'all':
      await leave(subscription, { scope: wish, how: 'page' }, parts);
      return sendPage(request, reply, subscription, wish === 'all' ? 'left-all' : 'left-stream');
    case 'back':
      await comeBack(subscription, parts);
      return sendPage(request, reply, subscription, 'back');
    case undefined:
      return plain(reply, 400).send('Expected List-Unsubscribe=One-Click (RFC 8058)\n');
  }
}

/** The form of a one-click post (RFC 8058 section 3.2), urlencoded or multipart, or a button of our page. */
function readWish(body: unknown): 'one-click' | PageChoice | undefined {
  if (typeof body !== 'string') return undefined;
  const form = new URLSearchParams(body.trim());
  const isOneClick =
    [...form].some(([name, value]) => /^list-unsubscribe=one-click$/i.test(`${name}=${value}`)) ||
    /name="?List-Unsubscribe"?\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click\s/i.test(body);
  return isOneClick ? 'one-click' : pageChoices.find((choice) => choice === form.get('choice'));
}

function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { recipient, stream }: Subscription,
  state: PageState,
) {
  const language = pageLanguage(request.headers['accept-language']);
  return plain(reply, 200)
    .header('content-security-policy', pageSecurityPolicy)
    .header('content-language', language)
    .header('vary', 'accept-language')
    .type('text/html; charset=utf-8')
    .send(unsubscribePage({ state, language, recipient, stream }));
}

function notFound(reply: FastifyReply) {
  return plain(reply, 404).send('Not found\n');
}

function plain(reply: FastifyReply, statusCode: number) {
  return reply.code(statusCode).headers(plainHeaders);
}
