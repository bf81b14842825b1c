/**
 * People at the native API: a session's cookie in the place of a token. A cookie goes along with whatever a browser
 * sends, so here it counts only for requests that our own pages made; and what its user may do depends on the role.
 * What they change is noted in the audit log before it is answered.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccountStore } from '../store/contract/accounts.ts';
import { type Role, roles, type UserStore } from '../store/contract/users.ts';
import type { Clock } from '../platform/clock.ts';
import type { People, SignedIn, Visitor } from '../users/people.ts';
import type { Provider } from '../users/provider.ts';
import { ApiError } from './errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The person who asks; undefined when a program does, with a token. */
    person: SignedIn | undefined;
  }
  interface FastifyContextConfig {
    /** What a person has to be; as first set, `support` to look and `developer` to change. */
    role?: Role;
    /** Not for programs: a token is refused. */
    peopleOnly?: true;
    /** A change that concerns nobody but the caller, or is told elsewhere. */
    unaudited?: true;
  }
}

export interface SessionDependencies {
  readonly people: People;
  readonly users: UserStore;
  readonly accounts: AccountStore;
  readonly clock: Clock;
  readonly publicUrl: string;
  /** By which people may sign in, beside their passwords. */
  readonly provider: Provider | undefined;
}

export const visitorOf = ({ ip, headers }: FastifyRequest): Visitor => ({
  address: ip,
  userAgent: headers['user-agent'] ?? '',
});

/** `__Host-` (RFC 6265bis): no other host may set it, and it never goes over a connection in the clear. */
export const cookieName = (publicUrl: string): string =>
  publicUrl.startsWith('https:') ? '__Host-aftersend' : 'aftersend';

/** A cookie's value, if the request has one of the form that we give out. */
export function cookieOf({ headers }: FastifyRequest, name: string): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const value = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  return value !== undefined && /^[\w.-]+$/.test(value) ? value : undefined;
}

const cookieMaxAgeS = 30 * 24 * 3600;

/** @param value '' takes the cookie away */
export function setCookie(reply: FastifyReply, publicUrl: string, value: string): void {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const age = value === '' ? 0 : cookieMaxAgeS;
  const cookie = `${cookieName(publicUrl)}=${value}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${secure}`;
  reply.header('set-cookie', cookie);
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what another site's page may have made a browser send: our pages name themselves in a header that no other
 * site may set without asking first, and the browser says where the request comes from.
 * @throws ApiError
 */
export function checkOrigin(request: FastifyRequest, publicUrl: string): void {
  if (safeMethods.has(request.method)) return;
  const { headers } = request;
  const site = headers['sec-fetch-site'];
  const origin = headers.origin;
  const ours =
    headers['aftersend-console'] === '1' &&
    (site === undefined || site === 'same-origin') &&
    (origin === undefined || origin === publicUrl || URL.parse(origin)?.host === headers.host);
  if (!ours) {
    throw new ApiError(
      403,
      'foreign-origin',
      'With a session’s cookie, changes are taken from our own pages alone',
    );
  }
}

/** @returns what sets `request.account` and `request.person` or refuses; undefined for a request without a session's cookie */
export function sessionAuthentication({ people, accounts, publicUrl }: SessionDependencies) {
  const name = cookieName(publicUrl);
  return function authenticate(request: FastifyRequest): Promise<void> | undefined {
    const { authorization } = request.headers;
    const value = authorization === undefined ? cookieOf(request, name) : undefined;
    return value === undefined ? undefined : signIn(request, value);
  };

  async function signIn(request: FastifyRequest, value: string): Promise<void> {
    const signedIn = await people.bySession(value, visitorOf(request));
    if (signedIn === undefined)
      throw new ApiError(401, 'session-ended', 'The session has ended: sign in again');
    checkOrigin(request, publicUrl);
    const account = await accounts.byId(signedIn.session.accountId);
    if (account === undefined) throw new ApiError(401, 'session-ended', 'The account is no longer there');
    request.account = account;
    request.person = signedIn;
  }
}

const isAtLeast = (role: Role, wanted: Role): boolean => roles.indexOf(role) >= roles.indexOf(wanted);

/** Whether the caller may do what the route does. @throws ApiError */
export function checkRole({ person, method, routeOptions }: FastifyRequest): void {
  const { role, peopleOnly } = routeOptions.config;
  if (person === undefined) {
    if (peopleOnly)
      throw new ApiError(403, 'people-only', 'This is for people who are signed in, not for tokens');
    return;
  }
  const wanted = role ?? (safeMethods.has(method) ? 'support' : 'developer');
  if (!isAtLeast(person.role, wanted)) {
    throw new ApiError(403, 'role-missing', `This takes the role '${wanted}'; yours is '${person.role}'`);
  }
}

/** A hook for answers: what a person changed stands in the audit log before they are told that it is done. */
export function auditing({ users, clock }: Pick<SessionDependencies, 'users' | 'clock'>) {
  return async function note(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { person, method, routeOptions, params } = request;
    const { config, schema } = routeOptions;
    if (person === undefined || safeMethods.has(method) || config.unaudited || reply.statusCode >= 400)
      return;
    await users.note({
      accountId: request.account.id,
      actor: person.user.email,
      action: schema?.operationId ?? `${method} ${routeOptions.url}`,
      subject: subjectOf(params),
      address: request.ip,
      atMs: clock.now(),
    });
  };
}

/** What stands in the path, as in `id 3`. A path of the native API holds no secret. */
function subjectOf(params: unknown): string {
  return Object.entries((params ?? {}) as Record<string, unknown>)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}

/** The person; a token is refused before. */
export function personOf({ person }: FastifyRequest): SignedIn {
  if (person === undefined) throw new Error('a route for people was reached without one');
  return person;
}
