/**
 * SendPulse's "SMTP WebHooks": an array of flat objects, sent each minute or at a thousand events. The keys stand in
 * the order of the vendor's examples (`docs/dialects/sendpulse.md`).
 */
import { Type } from 'typebox';
import type { LoggedEvent } from '../../events/types.ts';
import type { Dialect } from './contract/dialect.ts';
import { jsonText } from './contract/json-text.ts';
import { isLeftOut, leaveOutMachines } from './contract/machines.ts';

const options = Type.Object(
  {
    leave_out_machines: leaveOutMachines,
    unsubscribed_details: Type.Boolean({
      default: false,
      description:
        'Adds timestamp and message_id to unsubscribed events, for receivers that remove duplicates by them.',
    }),
  },
  { additionalProperties: false },
);

export const dialect: Dialect<typeof options> = {
  name: 'sendpulse',
  description: 'SendPulse’s SMTP webhooks: a JSON array of events, every 60 s or 1000 events.',
  framing: () => 'array',
  limits: { count: 1000, ageMs: 60_000, bytes: 1024 * 1024 },
  options,
  tellsIds: false,
  eventNames: {
    delivered: 'delivered',
    bounced: 'undelivered',
    opened: 'opened',
    clicked: 'clicked',
    unsubscribed: 'unsubscribed',
    complained: 'spam_by_user',
  },
  write(event, { unsubscribed_details: unsubscribedDetails, leave_out_machines: leavesOut }) {
    if (isLeftOut(event, leavesOut)) return undefined;
    switch (event.type) {
      case 'delivered':
        return answered('delivered', event);
      case 'bounced':
        return answered('undelivered', event);
      case 'opened':
        return told('opened', event);
      case 'clicked':
        return told('clicked', event);
      case 'complained':
        return told('spam_by_user', event);
      case 'unsubscribed':
        return unsubscribedDetails
          ? told('unsubscribed', event)
          : `{"event":"unsubscribed","recipient":${jsonText(event.recipient)},"sender":${jsonText(event.sender)},"subject":${jsonText(event.subject)}}`;
      case 'accepted':
      case 'skipped':
      case 'deferred':
        return undefined;
    }
  },
};

/** What a recipient's server answered for. */
function answered(name: string, event: LoggedEvent): string {
  return (
    `{"smtp_server_response_code":${jsonText(event.code)},"smtp_server_response_subcode":${jsonText(event.enhancedCode)}` +
    `,"sender":${jsonText(event.sender)},"smtp_server_response":${jsonText(event.response)},"timestamp":${seconds(event)}` +
    `,"message_id":${event.messageId},"recipient":${jsonText(event.recipient)},"event":"${name}","subject":${jsonText(event.subject)}}`
  );
}

/** What a recipient did. */
function told(name: string, event: LoggedEvent): string {
  return (
    `{"event":"${name}","timestamp":${seconds(event)},"message_id":${event.messageId}` +
    `,"recipient":${jsonText(event.recipient)},"sender":${jsonText(event.sender)},"subject":${jsonText(event.subject)}}`
  );
}

const seconds = (event: LoggedEvent): number => Math.floor(event.timeMs / 1000);
