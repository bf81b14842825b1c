/**
 * `GET /api/events/stream`: the account's log as server-sent events, as it grows. A client that comes back names the last
 * event it had (`Last-Event-ID`) and misses nothing. What a slow reader has not taken waits in the log, not here. A
 * stream never outlives the right to it for longer than a beat.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Type } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { EventType } from '../../events/types.ts';
import type { Clock } from '../../platform/clock.ts';
import { Wake } from '../../platform/wake.ts';
import type { EventLog } from '../../store/contract/log.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import { eventShape } from './event-shape.ts';
import { eventTypesOf } from './events.ts';
import { closed } from './shapes.ts';

/** Of an account. */
const maxStreams = 20;
const pageEvents = 100;
const scanLimit = 5_000;
/** A comment line while nothing happens, below the idle timeouts of proxies; so often it is asked who reads, too. */
const beatEveryMs = 15_000;
/** A reader that takes nothing for so long is cut off; it comes back where it was. */
const slowestReadMs = 60_000;

const StreamQuery = closed({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Begin after this event; with what comes from now on if left out',
    }),
  ),
  types: Type.Optional(Type.String({ description: 'With commas between, all if left out' })),
});

export function eventStreamRoute(app: App, { log, clock }: { log: EventLog; clock: Clock }): void {
  const closing = new AbortController();
  const open = new Map<number, number>();
  // Before the server waits for its connections to end.
  app.addHook('preClose', async () => closing.abort());

  app.get(
    '/api/events/stream',
    {
      // A HEAD would follow the log and never be told anything.
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamEvents',
        tags: ['events'],
        summary: 'Follow the log of events',
        description:
          'Server-sent events: `id` is the event’s, `event` its type, `data` what `GET /api/events` shows of it. ' +
          'Resumes after `Last-Event-ID`.',
        querystring: StreamQuery,
        response: { 200: Type.String({ description: 'text/event-stream' }) },
      },
    },
    async (request, reply) => {
      const { query, account, headers } = request;
      const types = query.types === undefined ? undefined : eventTypesOf(query.types);
      const afterId = lastEventId(headers['last-event-id']) ?? query.after ?? (await log.lastId(account.id));
      const streams = open.get(account.id) ?? 0;
      if (streams >= maxStreams) {
        throw new ApiError(429, 'too-many', `an account may follow the log ${maxStreams} times at once`);
      }
      open.set(account.id, streams + 1);
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      });
      try {
        const mayGoOn = () => isStillLetIn(request, account.id);
        await follow(raw, { log, clock, accountId: account.id, types, afterId, mayGoOn }, closing.signal);
      } finally {
        const left = (open.get(account.id) ?? 1) - 1;
        if (left === 0) open.delete(account.id);
        else open.set(account.id, left);
        raw.destroy();
      }
    },
  );
}

/** Whether the token still counts, the session has not ended, and its person looks at the same account as before. */
async function isStillLetIn(request: FastifyRequest, accountId: number): Promise<boolean> {
  try {
    await request.authenticateAgain?.();
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
  return request.account.id === accountId;
}

/** @throws ApiError */
function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (!/^\d{1,15}$/.test(String(header))) {
    throw new ApiError(422, 'invalid', 'Last-Event-ID is no id of an event', 'Last-Event-ID');
  }
  return Number(header);
}

interface Followed {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly accountId: number;
  readonly types: readonly EventType[] | undefined;
  readonly afterId: number;
  readonly mayGoOn: () => Promise<boolean>;
}

async function follow(
  response: ServerResponse,
  { log, clock, accountId, types, afterId, mayGoOn }: Followed,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([closing, gone.signal]);
  const wake = new Wake();
  const unsubscribe = log.subscribe((accountIds) => accountIds.has(accountId) && wake.wake());
  try {
    response.write(': here\n\n');
    let wroteAtMs = clock.now();
    let askedAtMs = wroteAtMs;
    let cursor = afterId;
    while (!signal.aborted) {
      if (Math.abs(clock.now() - askedAtMs) >= beatEveryMs) {
        if (!(await mayGoOn())) return;
        askedAtMs = clock.now();
      }
      const page = await log.readAfter({ accountId, afterId: cursor, types, limit: pageEvents, scanLimit });
      cursor = page.scannedTo;
      const text = page.events
        .map(
          (event) => `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(eventShape(event))}\n\n`,
        )
        .join('');
      // Also while the log grows by events that are not shown here.
      const isQuiet = Math.abs(clock.now() - wroteAtMs) >= beatEveryMs;
      const line = text === '' && isQuiet ? ': still here\n\n' : text;
      if (line !== '') {
        wroteAtMs = clock.now();
        if (!response.write(line) && !(await drained(response, clock, signal))) return;
      }
      if (page.atEnd) await wake.wait(clock, beatEveryMs, signal);
    }
  } finally {
    unsubscribe();
  }
}

/** @returns false if the reader takes nothing any more */
async function drained(response: ServerResponse, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const drain = once(response, 'drain', { signal: either }).then(
    () => true,
    () => false,
  );
  const late = clock.sleep(slowestReadMs, either).then(() => false);
  const result = await Promise.race([drain, late]);
  over.abort();
  return result;
}
