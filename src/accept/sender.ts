/** Who may send as whom: mail that leaves this machine comes from a domain that its account has shown to be its own. */
import type { DomainStore } from '../store/contract/domains.ts';
import { RefusedError } from './draft.ts';

/** @throws RefusedError if the account may not send from this address to these recipients */
export type CheckSender = (facts: {
  readonly accountId: number;
  /** The address in From. */
  readonly sender: string;
  readonly recipients: readonly { readonly address: string }[];
}) => Promise<void>;

export function createSenderCheck({
  domains,
  staysHere,
}: {
  domains: Pick<DomainStore, 'ofSender'>;
  /** Mail to this recipient never leaves the machine. */
  staysHere: (recipient: string) => boolean;
}): CheckSender {
  return async ({ accountId, sender, recipients }) => {
    if (recipients.every(({ address }) => staysHere(address))) return;
    const name = sender.slice(sender.lastIndexOf('@') + 1);
    const domain = await domains.ofSender(accountId, name);
    if (domain?.verifiedAtMs !== undefined) return;
    const what =
      domain === undefined
        ? `${name} is no sending domain of this account: add it (POST /api/domains) and publish its records, or let the operator vouch for it`
        : `${domain.name} is not verified yet: publish its records and let us look (POST /api/domains/${domain.id}/verify)`;
    throw new RefusedError('sender-unverified', 'from', what);
  };
}
