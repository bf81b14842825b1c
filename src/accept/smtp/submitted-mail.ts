/** From a message as SMTP brought it to a draft: whose it is, who gets it, and what its control fields say. */
import { addressOf } from '../../mail/address.ts';
import { takeOptions } from '../../mail/control-fields.ts';
import { type MailFacts, readFacts } from '../../mail/headers.ts';
import type { ReceivedMail } from '../../platform/smtp/service.ts';
import type { Account } from '../../store/contract/accounts.ts';
import type { RecipientRole } from '../../store/contract/intake.ts';
import type { Draft, Mailbox } from '../draft.ts';

/** @throws RefusedError the header cannot be read, or says what is not understood */
export function makeDraft(received: ReceivedMail, account: Account): Draft {
  const { raw, options } = takeOptions(received.content);
  return {
    account,
    door: 'smtp',
    envelopeSender: received.sender,
    recipients: withRoles(received.recipients, readFacts(raw)),
    mail: { raw },
    options,
    template: undefined,
    idempotency: undefined,
  };
}

/** The envelope alone says who gets the mail; what the header calls them is only told, never acted on. */
function withRoles(
  recipients: readonly string[],
  { to, cc }: Pick<MailFacts, 'to' | 'cc'>,
): Draft['recipients'] {
  const names = (list: readonly Mailbox[]) => new Set(list.map(({ address }) => address.toLowerCase()));
  const inTo = names(to);
  const inCc = names(cc);
  const roleOf = (address: string): RecipientRole => {
    const name = (addressOf(address)?.address ?? address).toLowerCase();
    return inTo.has(name) ? 'to' : inCc.has(name) ? 'cc' : 'bcc';
  };
  return recipients.map((address) => ({ address, role: roleOf(address) }));
}
