/** `aftersend serve`: starts the service, says where it is, and stops it when asked. */
import { type Logger, pino } from 'pino';
import { createAccount, type Provisioned, ProvisionError } from '../accounts/provision.ts';
import { type Service, startService } from '../compose.ts';
import type { Role } from '../config/readers.ts';
import type { Config } from '../config/settings.ts';
import { invitationLink, makeInvitation } from '../users/people.ts';
import { systemClock, systemRandom } from '../platform/clock.ts';
import { hostInUrl } from '../platform/listening.ts';
import { StoreBusyError } from '../store/contract/store.ts';

interface Moments {
  readonly stop: AbortSignal;
  /** Everything takes work. */
  readonly started: () => void;
}

/** @returns the exit code, once `stop` has aborted and everything is closed */
export async function serve(config: Config, { stop, started }: Moments): Promise<number> {
  // Logs go to standard error: standard output is for the person who started it.
  const logger = pino({ level: config.logLevel }, pino.destination(2));
  const patiently = <T>(work: () => Promise<T>) => whenReachable(work, config, logger, stop);
  await using service = await patiently(() => startService(config, { logger }));
  started();
  // Where people are served, they are told how to come in.
  const servesPeople = config.roles.has('api');
  const first = servesPeople ? await patiently(() => firstAccount(service)) : undefined;
  const link = servesPeople ? await patiently(() => firstLink(service)) : undefined;
  process.stdout.write(`${welcome(config, service, first, link)}\n`);
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve());
  });
  process.stdout.write('\nstopping: finishing what is under way\n');
  return 0;
}

const databaseAwayMs = 1_000;

/** A process that starts during a failover waits: one that ended instead would be given up by who restarts it. */
async function whenReachable<T>(
  work: () => Promise<T>,
  config: Config,
  logger: Logger,
  stop: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const mayWait = error instanceof StoreBusyError && config.database !== undefined;
      if (!mayWait || stop.aborted) throw error;
      logger.warn({ err: error }, 'the database cannot be reached, it is tried again');
      await systemClock.sleep(databaseAwayMs, stop);
    }
  }
}

/** At the first start there is nobody yet: makes an account to begin with. */
async function firstAccount({ store }: Service): Promise<Provisioned | undefined> {
  if ((await store.accounts.list()).length > 0) return undefined;
  try {
    return await createAccount(
      { accounts: store.accounts, clock: systemClock, random: systemRandom },
      { name: 'main', email: '', timeZone: 'UTC' },
    );
  } catch (error) {
    // Another process that shares the database has just made it, and told its person.
    if (error instanceof ProvisionError) return undefined;
    throw error;
  }
}

/** While nobody can sign in: a link that lets the first person in, once, as owner of the first account. */
async function firstLink({ store, publicUrl }: Service): Promise<string | undefined> {
  const [account] = await store.accounts.list();
  if (account === undefined || (await store.users.any())) return undefined;
  const secret = await makeInvitation(
    { users: store.users, clock: systemClock, random: systemRandom },
    { email: '', purpose: { kind: 'join', accountId: account.id, role: 'owner' } },
  );
  return invitationLink(publicUrl, secret);
}

function welcome(
  config: Config,
  service: Service,
  first: Provisioned | undefined,
  link: string | undefined,
): string {
  const at = (role: Role, { host, port }: { host: string; port: number }) =>
    config.roles.has(role) ? `${host}:${port}` : 'another process (AFTERSEND_ROLES)';
  const isApi = config.roles.has('api');
  const lines = [
    `Aftersend is up.  Stop it with Ctrl-C; what it has accepted is kept in ${config.database === undefined ? config.dataFolder : 'the database'}.`,
    '',
    `  console and API  ${service.publicUrl}${isApi ? '' : '  (another process)'}`,
    ...(isApi
      ? []
      : [`  how it is        http://${hostInUrl(service.http.host)}:${service.http.port}/healthz`]),
    `  API document     ${service.publicUrl}/api/openapi.json`,
    `  submit by SMTP   ${at('submission', service.submission)}  (STARTTLS)`,
    `  inbound mail     ${at('inbound', service.inbound)}`,
    `  mail goes to     ${describeRoute(config)}`,
  ];
  if (link !== undefined) {
    lines.push(
      '',
      'Nobody can sign in to the console yet. Set your password here (the link works once):',
      '',
      `  ${link}`,
    );
  }
  if (first === undefined) return lines.join('\n');
  return [
    ...lines,
    '',
    `The first account is '${first.account.name}'. These are shown this once:`,
    '',
    `  API token        ${first.token}`,
    `  SMTP login       ${first.smtp.username}`,
    `  SMTP password    ${first.smtp.password}`,
    '',
    'Try it:',
    '',
    `  curl ${service.publicUrl}/api/messages -H 'Authorization: Bearer ${first.token}' -H 'Content-Type: application/json' -d '{"from":"me@example.com","to":["opened@simulator.test"],"subject":"Hello","html":"<p>Hello</p>"}'`,
  ].join('\n');
}

function describeRoute({ route }: Config): string {
  switch (route.kind) {
    case 'simulator':
      return 'the simulator: nothing leaves this machine (AFTERSEND_ROUTE)';
    case 'mx':
      return 'the recipients’ own servers';
    case 'smarthost':
      return `the smarthost ${route.host}:${route.port}`;
  }
}
