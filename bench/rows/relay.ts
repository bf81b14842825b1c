/** How fast mail goes through: in by SMTP, stored durably, out by SMTP. */
import type { Row } from '../measure.ts';
import { openSmtpPath, type Sessions } from '../smtp-path.ts';

const messages = 5000;

function relayRow(name: string, sessions: Sessions): Row {
  return {
    name,
    work: `smtp-source, 20 sessions (${sessions}), 4 KB messages, counted as the last one is in smtp-sink`,
    unit: 'messages/s',
    better: 'more',
    toReach: '3 times Postfix, 3 times Haraka',
    open: (scale) => openSmtpPath({ messages: Math.ceil(messages * scale), moment: 'relayed', sessions }),
  };
}

export const relay = relayRow('relay', 'kept');
export const relayNotKept = relayRow('relay-not-kept', 'not kept');
