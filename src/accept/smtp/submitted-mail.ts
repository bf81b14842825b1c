/** From a message as SMTP brought it to a draft: whose it is, who gets it, and what its control fields say. */
import type { ReceivedMail } from '../../platform/smtp/service.ts';
import type { Account } from '../../store/contract/accounts.ts';
import type { RecipientRole } from '../../store/contract/intake.ts';
import type { Draft, DraftOptions, Mailbox } from '../draft.ts';

/** What submission asks of the mail room. */
export interface MailRoom {
  addressOf(text: string): { readonly address: string } | undefined;
  /** Reads the control fields, and takes them out. @throws RefusedError */
  takeOptions(raw: Uint8Array): { readonly raw: Uint8Array; readonly options: DraftOptions };
  /** Whom the header names. @throws RefusedError */
  readFacts(raw: Uint8Array): { readonly to: readonly Mailbox[]; readonly cc: readonly Mailbox[] };
}

/** @throws RefusedError the header cannot be read, or says what is not understood */
export function makeDraft(received: ReceivedMail, account: Account, mail: MailRoom): Draft {
  const { raw, options } = mail.takeOptions(received.content);
  return {
    account,
    door: 'smtp',
    envelopeSender: received.sender,
    recipients: withRoles(received.recipients, mail.readFacts(raw), mail),
    mail: { raw },
    options,
    templateId: undefined,
    idempotency: undefined,
  };
}

/** The envelope alone says who gets the mail; what the header calls them is only told, never acted on. */
function withRoles(
  recipients: readonly string[],
  { to, cc }: ReturnType<MailRoom['readFacts']>,
  mail: MailRoom,
): Draft['recipients'] {
  const names = (list: readonly Mailbox[]) => new Set(list.map(({ address }) => address.toLowerCase()));
  const inTo = names(to);
  const inCc = names(cc);
  const roleOf = (address: string): RecipientRole => {
    const name = (mail.addressOf(address)?.address ?? address).toLowerCase();
    return inTo.has(name) ? 'to' : inCc.has(name) ? 'cc' : 'bcc';
  };
  return recipients.map((address) => ({ address, role: roleOf(address) }));
}
