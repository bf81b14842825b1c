/**
 * SendGrid's Event Webhook: an array of flat objects, signed with ECDSA over P-256 as `@sendgrid/eventwebhook` verifies
 * it. Metadata stands among the fields, as that service's unique arguments do, and never replaces one.
 */
import { sign } from 'node:crypto';
import { Type } from 'typebox';
import type { EventDetails, EventType, LoggedEvent } from '../../events/types.ts';
import type { Dialect } from './contract/dialect.ts';
import { isLeftOut, leaveOutMachines } from './contract/machines.ts';

const options = Type.Object({ leave_out_machines: leaveOutMachines }, { additionalProperties: false });

const names = {
  accepted: 'processed',
  skipped: 'dropped',
  deferred: 'deferred',
  delivered: 'delivered',
  bounced: 'bounce',
  opened: 'open',
  clicked: 'click',
  unsubscribed: 'unsubscribe',
  complained: 'spamreport',
} as const satisfies Record<EventType, string>;

export const dialect: Dialect<typeof options> = {
  name: 'sendgrid',
  description: 'SendGrid’s Event Webhook: a JSON array, signed with ECDSA.',
  framing: () => 'array',
  limits: { count: 1000, ageMs: 1_000, bytes: 768 * 1024 },
  options,
  tellsIds: true,
  eventNames: names,
  signature: {
    key: 'ecdsa-p256',
    headers({ timeMs, body, key }) {
      const timestamp = `${Math.floor(timeMs / 1000)}`;
      const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), key);
      return [
        'x-twilio-email-event-webhook-signature',
        signature.toString('base64'),
        'x-twilio-email-event-webhook-timestamp',
        timestamp,
      ];
    },
  },
  write(event, { leave_out_machines: leavesOut }) {
    if (isLeftOut(event, leavesOut)) return undefined;
    const tags = JSON.parse(event.tagsJson) as string[];
    const told = {
      email: event.recipient,
      timestamp: Math.floor(event.timeMs / 1000),
      event: names[event.type],
      sg_event_id: `${event.id}`,
      sg_message_id: `${event.messageId}`,
      ...(tags.length > 0 && { category: tags }),
      ...ofType(event),
    };
    return JSON.stringify({
      ...told,
      ...notIn(told, JSON.parse(event.metadataJson) as Record<string, unknown>),
    }).toWellFormed();
  },
};

function ofType(event: LoggedEvent): Record<string, unknown> {
  const detail: unknown = JSON.parse(event.detailJson);
  const answer = [event.code, event.enhancedCode, event.response].filter((part) => part !== '').join(' ');
  switch (event.type) {
    case 'accepted':
    case 'unsubscribed':
    case 'complained':
      return {};
    case 'skipped': {
      const { reason } = detail as EventDetails['skipped'];
      return { reason: droppedBecause[reason] };
    }
    case 'delivered':
      return { response: answer };
    case 'deferred':
      return { response: answer, attempt: `${(detail as EventDetails['deferred']).attempt}` };
    case 'bounced': {
      const { recipientAtFault } = detail as EventDetails['bounced'];
      return { status: event.enhancedCode, reason: answer, type: recipientAtFault ? 'bounce' : 'blocked' };
    }
    case 'opened':
    case 'clicked': {
      const { userAgent, address } = detail as EventDetails['opened'];
      const url = event.type === 'clicked' ? { url: event.url } : {};
      return { useragent: userAgent, ip: address, ...url };
    }
  }
}

const droppedBecause: Readonly<Record<EventDetails['skipped']['reason'], string>> = {
  unsubscribed: 'Unsubscribed Address',
  complained: 'Spam Reporting Address',
  bounced: 'Bounced Address',
  manual: 'Unsubscribed Address',
};

function notIn(told: object, metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !(name in told)));
}
