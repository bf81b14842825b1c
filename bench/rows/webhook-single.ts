/** How fast events that wait in the log are told where each is a request of its own, signed. */
import type { Row } from '../measure.ts';
import { openWaitingWebhooks } from '../waiting-webhooks.ts';

const waitingEvents = 5_000;
const endpoints = 8;

export const webhookSingle: Row = {
  name: 'webhook-single',
  work: `events waiting in the log, in the msndr dialect, one a POST, to each of ${endpoints} endpoints of a local receiver`,
  unit: 'requests/s',
  better: 'more',
  toReach: '0.8 of the loop',
  open: (scale) =>
    openWaitingWebhooks({ dialect: 'msndr', endpoints, events: Math.ceil(waitingEvents * scale) }),
};
