/** CloudEvents 1.0 in JSON (github.com/cloudevents/spec): batched, or structured with one event a request. */
import { Type } from 'typebox';
import type { Dialect } from './contract/dialect.ts';
import { isLeftOut, leaveOutMachines } from './contract/machines.ts';
import { isoTime, nativeDigest, nativeEvent } from './contract/native-json.ts';

const options = Type.Object(
  {
    leave_out_machines: leaveOutMachines,
    mode: Type.Union([Type.Literal('batched'), Type.Literal('structured')], {
      default: 'batched',
      description: '`batched`: a JSON array of CloudEvents. `structured`: one CloudEvent a request, at once.',
    }),
  },
  { additionalProperties: false },
);

const source = (accountId: number): string => `/aftersend/accounts/${accountId}`;

export const dialect: Dialect<typeof options> = {
  name: 'cloudevents',
  description: 'CloudEvents 1.0 in JSON, batched or structured; the data is the native event.',
  framing: ({ mode }) => (mode === 'batched' ? 'array' : 'single'),
  contentType: ({ mode }) =>
    mode === 'batched' ? 'application/cloudevents-batch+json' : 'application/cloudevents+json',
  limits: { count: 500, ageMs: 1_000, bytes: 1024 * 1024 },
  options,
  tellsIds: true,
  eventNames: {
    accepted: 'aftersend.message.accepted',
    skipped: 'aftersend.message.skipped',
    deferred: 'aftersend.message.deferred',
    delivered: 'aftersend.message.delivered',
    bounced: 'aftersend.message.bounced',
    opened: 'aftersend.message.opened',
    clicked: 'aftersend.message.clicked',
    unsubscribed: 'aftersend.message.unsubscribed',
    complained: 'aftersend.message.complained',
  },
  write: (event, { leave_out_machines: leavesOut }, place) =>
    isLeftOut(event, leavesOut)
      ? undefined
      : `{"specversion":"1.0","id":"${event.id}","source":"${source(event.accountId)}","type":"aftersend.message.${event.type}"` +
        `,"subject":"${event.messageId}","time":"${isoTime(event.timeMs)}","datacontenttype":"application/json","data":${nativeEvent(event, place)}}`,
  writeDigest(digest, { mode }) {
    const event =
      `{"specversion":"1.0","id":"${digest.id}","source":"${source(digest.accountId)}","type":"aftersend.digest"` +
      `,"time":"${isoTime(digest.untilMs)}","datacontenttype":"application/json","data":${nativeDigest(digest)}}`;
    return mode === 'batched' ? `[${event}]` : event;
  },
};
