/** Who is signed in, for every page. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

export type Role = 'support' | 'developer' | 'owner';

const roles: readonly Role[] = ['support', 'developer', 'owner'];

export const isAtLeast = (role: Role, wanted: Role): boolean => roles.indexOf(role) >= roles.indexOf(wanted);

/** Pages that are not for everybody; those that anybody may look at are not listed. */
const pageRoles: Readonly<Record<string, Role>> = {
  '/first-steps': 'developer',
  '/suppressions/import': 'developer',
  '/templates/new': 'developer',
  '/users': 'owner',
  '/audit': 'owner',
};

/** Whom a page is for, at least. */
export const roleOfPage = (path: string): Role => pageRoles[path] ?? 'support';

export interface AccountRef {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
}

export interface Session {
  readonly user: {
    readonly id: number;
    readonly email: string;
    /** Who came by the OpenID provider may have none. */
    readonly password: boolean;
    readonly second_factor: boolean;
  };
  readonly account: AccountRef;
  readonly accounts: readonly AccountRef[];
}

interface SessionState {
  readonly session: Session;
  /** Asks again who is signed in. */
  readonly reload: () => void;
}

export const SessionContext = createContext<SessionState | undefined>(undefined);

export function useSession(): SessionState {
  const state = useContext(SessionContext);
  if (state === undefined) throw new Error('a page is shown to nobody');
  return state;
}

/** Whether the signed-in person may change things. */
export const useMayChange = (): boolean => useSession().session.account.role !== 'support';
