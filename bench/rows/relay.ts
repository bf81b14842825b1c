/** How fast mail goes through: in by SMTP, stored durably, out by SMTP. */
import type { Row } from '../measure.ts';
import { openSmtpPath } from '../smtp-path.ts';

const messages = 5000;

export const relay: Row = {
  name: 'relay',
  work: 'smtp-source, 20 kept sessions, 4 KB messages, counted as the last one is in smtp-sink',
  unit: 'messages/s',
  open: (scale) => openSmtpPath(Math.ceil(messages * scale), 'relayed'),
};
