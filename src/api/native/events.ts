/** `GET /api/events`: the account's log, pulled after a cursor. What a webhook would be sent can be read here as well. */
import { Type } from '@fastify/type-provider-typebox';
import { type EventType, eventTypes } from '../../events/types.ts';
import type { EventLog } from '../../store/contract/log.ts';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';
import { EventShape, eventShape } from './event-shape.ts';
import { closed } from './shapes.ts';

const maxEvents = 1000;
/** Events that one call looks over, so that a rare type costs a call no more than this. */
const scanLimit = 20_000;

const EventQuery = closed({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      default: 0,
      description: '`next_after` of the call before, 0 from the beginning',
    }),
  ),
  types: Type.Optional(
    Type.String({ description: 'With commas between, all if left out', examples: ['delivered,bounced'] }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxEvents, default: 100 })),
});

const EventPage = Type.Object({
  events: Type.Array(EventShape, { description: 'In the order of the log; may be empty although more come' }),
  next_after: Type.Integer({ description: 'Where to go on' }),
  at_end: Type.Boolean({ description: 'False if more may be there already' }),
});

export function eventRoutes(app: App, log: EventLog): void {
  app.get(
    '/api/events',
    {
      schema: {
        operationId: 'listEvents',
        tags: ['events'],
        summary: 'Read the log of events after a cursor',
        querystring: EventQuery,
        response: { 200: EventPage },
      },
    },
    async ({ query: { after = 0, types, limit = 100 }, account }) => {
      const { events, scannedTo, atEnd } = await log.readAfter({
        accountId: account.id,
        afterId: after,
        types: types === undefined ? undefined : eventTypesOf(types),
        limit,
        scanLimit,
      });
      return { events: events.map(eventShape), next_after: scannedTo, at_end: atEnd };
    },
  );
}

/** @throws ApiError */
export function eventTypesOf(text: string): readonly EventType[] {
  return text.split(',').map((name) => {
    const type = eventTypes.find((known) => known === name.trim());
    if (type === undefined) {
      throw new ApiError(422, 'invalid', `'types' holds none but ${eventTypes.join(', ')}`, 'types');
    }
    return type;
  });
}
