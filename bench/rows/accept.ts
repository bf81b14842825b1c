/** How fast mail is taken in by SMTP: every 250 stands for a durable commit. */
import type { Row } from '../measure.ts';
import { openSmtpPath } from '../smtp-path.ts';

const messages = 5000;

export const accept: Row = {
  name: 'accept',
  work: 'smtp-source, 20 kept sessions, 4 KB messages, counted at the 250 while they are relayed on',
  unit: 'messages/s',
  better: 'more',
  toReach: '5 times Postfix',
  open: (scale) =>
    openSmtpPath({ messages: Math.ceil(messages * scale), moment: 'accepted', sessions: 'kept' }),
};
