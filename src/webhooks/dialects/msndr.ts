/**
 * The webhooks of api.msndr.net, which NotiSend, Cloud4Y and others sell: one object a request, at once
 * (`docs/dialects/msndr.md`).
 */
import { Type } from 'typebox';
import type { LoggedEvent } from '../../events/types.ts';
import type { Dialect } from './contract/dialect.ts';
import { jsonText } from './contract/json-text.ts';
import { isLeftOut, leaveOutMachines } from './contract/machines.ts';

const options = Type.Object(
  {
    leave_out_machines: leaveOutMachines,
    complained_as: Type.Union([Type.Literal('complined'), Type.Literal('complained')], {
      default: 'complined',
      description: 'How the name of a complaint is spelled; the vendor’s own spelling is the default.',
    }),
  },
  { additionalProperties: false },
);

export const dialect: Dialect<typeof options> = {
  name: 'msndr',
  description: 'The webhooks of msndr (NotiSend, Cloud4Y): one JSON object a request, at once.',
  framing: () => 'single',
  limits: { count: 1, ageMs: 0, bytes: 1024 * 1024 },
  options,
  tellsIds: false,
  eventNames: {
    skipped: 'skipped',
    deferred: 'soft_bounced',
    delivered: 'delivered',
    bounced: 'hard_bounced',
    opened: 'opened',
    clicked: 'clicked',
    unsubscribed: 'unsubscribed',
    complained: 'complined',
  },
  write(event, { complained_as: complainedAs, leave_out_machines: leavesOut }) {
    if (isLeftOut(event, leavesOut)) return undefined;
    switch (event.type) {
      case 'skipped':
      case 'delivered':
      case 'opened':
      case 'unsubscribed':
        return told(event.type, event, '{}');
      case 'clicked':
        return told('clicked', event, `{"url":${jsonText(event.url)}}`);
      case 'complained':
        return told(complainedAs, event, '{}');
      case 'bounced':
        return told('hard_bounced', event, '{}');
      case 'deferred':
        return event.firstRefusal ? told('soft_bounced', event, '{}') : undefined;
      case 'accepted':
        return undefined;
    }
  },
};

function told(name: string, event: LoggedEvent, data: string): string {
  return `{"message":{"id":${event.messageId}},"event":{"name":"${name}","timestamp":${Math.floor(event.timeMs / 1000)},"data":${data}}}`;
}
