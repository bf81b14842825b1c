/**
 * What enhanced status codes mean: RFC 3463 and the IANA registry "SMTP Enhanced Status Codes" by subject and detail, and
 * the ones that Microsoft's servers use beyond it (learn.microsoft.com, "Non-delivery reports in Exchange Online").
 * Data: how it is weighed against wording stands in `classify.ts`.
 */
import type { Category } from './classify.ts';

export interface CodeMeaning {
  readonly category: Category;
  /** Nothing that stands beside the code is more particular than the code. */
  readonly sure: boolean;
}

const sure = (category: Category): CodeMeaning => ({ category, sure: true });
/** Used for several things, or misused so often that clear words weigh more. */
const vague = (category: Category): CodeMeaning => ({ category, sure: false });

export const codeMeanings: Readonly<Record<string, CodeMeaning>> = {
  // Addressing.
  '1.0': vague('recipient-unknown'),
  '1.1': vague('recipient-unknown'),
  '1.2': vague('domain-unknown'),
  '1.3': vague('recipient-unknown'),
  '1.4': vague('recipient-unknown'),
  '1.6': sure('recipient-unknown'),
  '1.7': vague('policy'),
  '1.8': vague('policy'),
  '1.9': vague('remote-system'),
  // RFC 7505: the recipient's domain takes no mail. Exchange Online: recipient not found.
  '1.10': vague('domain-unknown'),
  '1.20': vague('policy'),
  '1.90': vague('rate-limited'),
  '1.350': vague('recipient-unknown'),
  '1.351': vague('recipient-unknown'),
  // Mailbox.
  '2.1': vague('disabled'),
  '2.2': sure('mailbox-full'),
  '2.3': sure('too-large'),
  '2.4': vague('remote-system'),
  '2.121': sure('rate-limited'),
  '2.122': sure('rate-limited'),
  // Mail system.
  '3.1': vague('remote-system'),
  '3.2': vague('remote-system'),
  '3.3': vague('remote-system'),
  '3.4': sure('too-large'),
  '3.5': vague('remote-system'),
  '3.6': vague('remote-system'),
  // Network and routing.
  '4.1': vague('connection'),
  '4.2': vague('connection'),
  '4.3': vague('remote-system'),
  '4.4': vague('domain-unknown'),
  '4.5': vague('rate-limited'),
  '4.6': sure('loop'),
  '4.7': vague('expired'),
  '4.14': sure('loop'),
  '4.310': vague('domain-unknown'),
  '4.312': vague('connection'),
  '4.316': vague('connection'),
  '4.317': vague('tls'),
  // Delivery protocol.
  '5.0': vague('remote-system'),
  '5.1': vague('remote-system'),
  '5.2': vague('remote-system'),
  '5.3': vague('rate-limited'),
  '5.4': vague('remote-system'),
  '5.5': vague('remote-system'),
  '5.6': vague('authentication'),
  // Content or media.
  '6.0': vague('content'),
  '6.1': vague('content'),
  '6.2': vague('content'),
  '6.3': vague('content'),
  '6.4': vague('content'),
  '6.5': vague('content'),
  '6.6': vague('content'),
  '6.7': vague('remote-system'),
  '6.8': vague('content'),
  '6.9': vague('remote-system'),
  '6.10': vague('remote-system'),
  // Security and policy.
  '7.2': vague('policy'),
  '7.3': vague('policy'),
  '7.4': vague('tls'),
  '7.5': vague('tls'),
  '7.6': vague('tls'),
  '7.7': vague('content'),
  '7.8': vague('authentication'),
  '7.9': vague('authentication'),
  '7.10': sure('tls'),
  '7.11': sure('tls'),
  '7.12': vague('authentication'),
  '7.13': sure('disabled'),
  '7.14': vague('policy'),
  '7.15': vague('policy'),
  '7.16': sure('too-large'),
  // RFC 7293: the address is somebody else's now.
  '7.17': sure('recipient-unknown'),
  '7.18': sure('domain-unknown'),
  '7.19': vague('remote-system'),
  '7.20': sure('authentication'),
  '7.21': sure('authentication'),
  '7.22': sure('authentication'),
  '7.23': sure('authentication'),
  '7.24': sure('authentication'),
  '7.25': sure('authentication'),
  '7.26': sure('authentication'),
  '7.27': vague('policy'),
  '7.28': sure('rate-limited'),
  '7.29': sure('authentication'),
  '7.30': sure('tls'),
  '7.57': vague('policy'),
  '7.508': sure('rate-limited'),
  '7.509': sure('authentication'),
  '7.515': sure('authentication'),
  '7.705': vague('rate-limited'),
  '7.708': vague('policy'),
};
