/** Which accounts a person may look at without an invitation, by the domain of the address that a provider has verified. */
import type { Logger } from 'pino';
import type { AccountStore } from '../store/contract/accounts.ts';
import type { Admission, Role } from '../store/contract/users.ts';

export interface AdmittedDomain {
  /** Lower case; its subdomains are others. */
  readonly domain: string;
  /** The account's name. */
  readonly account: string;
  readonly role: Role;
}

/** @param email in lower case, undefined if none was verified */
export type Admissions = (email: string | undefined) => Promise<readonly Admission[]>;

export function admissionsBy(
  domains: readonly AdmittedDomain[],
  { accounts, logger }: { readonly accounts: Pick<AccountStore, 'byName'>; readonly logger: Logger },
): Admissions {
  return async (email) => {
    const domain = email?.slice(email.lastIndexOf('@') + 1);
    const wanted = domains.filter((admitted) => admitted.domain === domain);
    const found = await Promise.all(
      wanted.map(async ({ account, role }) => {
        const { id } = (await accounts.byName(account)) ?? {};
        if (id === undefined)
          logger.warn({ account }, 'AFTERSEND_OIDC_ADMIT names an account that is not there');
        return id === undefined ? [] : [{ accountId: id, role }];
      }),
    );
    return found.flat();
  };
}
