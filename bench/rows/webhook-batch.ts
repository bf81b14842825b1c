/** How fast events that wait in the log are told: read, rendered, POSTed in batches of 1000, the cursor committed. */
import type { Row } from '../measure.ts';
import { openWaitingWebhooks } from '../waiting-webhooks.ts';

const waitingEvents = 1_000_000;

export const webhookBatch: Row = {
  name: 'webhook-batch',
  work: 'events waiting in the log, in the sendpulse dialect, batches of 1000, to a local receiver',
  unit: 'events/s',
  better: 'more',
  toReach: '100,000 events/s, and 0.5 of the loop',
  open: (scale) =>
    openWaitingWebhooks({ dialect: 'sendpulse', endpoints: 1, events: Math.ceil(waitingEvents * scale) }),
};
