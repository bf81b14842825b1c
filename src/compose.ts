/**
 * The only place where objects are built and wired. It knows every room and holds no policy of its own: who gets what,
 * in which order things start, and that they stop in the reverse one.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { Counter } from 'prom-client';
import { createAccept } from './accept/accept.ts';
import { type CheckSender, createSenderCheck } from './accept/sender.ts';
import { type Credentials, credentials } from './accept/credentials.ts';
import type { Accept } from './accept/draft.ts';
import { startSubmission } from './accept/smtp/submission.ts';
import { msndrWebhookRoutes } from './api/msndr/webhook.ts';
import { domainRoutes } from './api/native/domains.ts';
import { eventStreamRoute } from './api/native/event-stream.ts';
import { webhookRecordRoutes } from './api/native/webhook-records.ts';
import { receiverRoute } from './api/native/receiver.ts';
import { webhookRoutes } from './api/native/webhooks.ts';
import { providerCallbackPath } from './api/provider-sign-in.ts';
import { buildApi, buildOperations } from './api/server.ts';
import type { ListenAddress } from './config/readers.ts';
import type { Config } from './config/settings.ts';
import { classify } from './deliver/classify.ts';
import { defaultLimits, startDelivery } from './deliver/deliver.ts';
import { createMailHosts } from './deliver/dns/mail-hosts.ts';
import { createResolver } from './platform/dns/resolver.ts';
import { GiveWay } from './deliver/give-way.ts';
import { createPools, type Pool } from './deliver/pools.ts';
import { createPrepare } from './deliver/prepare.ts';
import { createRouter, isSimulatorAddress } from './deliver/route.ts';
import type { CountTls } from './deliver/tls/demand.ts';
import { createStsPolicies } from './deliver/tls/mta-sts.ts';
import { createDemands } from './deliver/tls/policy.ts';
import { createDomains } from './domains/domains.ts';
import { createIdentities } from './domains/identity.ts';
import { type Ground, prepareGround, type Surroundings } from './ground.ts';
import { startInbound } from './inbound/inbound.ts';
import { rewriteForRecipient } from './mail/rewrite.ts';
import { startForgetting } from './maintenance/forget.ts';
import { ConnectionLog } from './platform/connection-times.ts';
import { addressGuard } from './platform/guard.ts';
import { guardedAgent } from './platform/guard-agent.ts';
import { systemResolve } from './platform/guard-resolve.ts';
import { hostInUrl, reachable } from './platform/listening.ts';
import { loopLoad } from './platform/loop-load.ts';
import { inNetworks } from './platform/networks.ts';
import { startNoticeMailer } from './notices/mailer.ts';
import { startSimulator } from './simulator/simulator.ts';
import { startCounting } from './statistics/follow.ts';
import type { Store } from './store/contract/store.ts';
import type { SecretKeys } from './tokens/keys.ts';
import { signedTokens } from './tokens/signed.ts';
import { quickVisits } from './track/answers.ts';
import { Journal } from './track/journal.ts';
import { startTellingLeft } from './track/left-behind.ts';
import { measureSyncs, measureVisits } from './track/metrics.ts';
import { Recorder } from './track/recorder.ts';
import { trackRoutes } from './track/routes.ts';
import { passwords } from './users/passwords.ts';
import { admissionsBy } from './users/admissions.ts';
import { createPeople } from './users/people.ts';
import { createProvider } from './users/provider.ts';
import type { MutualTls } from './webhooks/access.ts';
import { BuiltInReceiver } from './webhooks/built-in-receiver.ts';
import { createEndpoints } from './webhooks/endpoints.ts';
import { tellOfExpiring } from './webhooks/expiry.ts';
import { openPost } from './webhooks/post.ts';
import { createReplays } from './webhooks/replays.ts';
import { startWebhooks } from './webhooks/service.ts';
import { openVault } from './webhooks/vault.ts';

export interface Service extends AsyncDisposable {
  readonly store: Store;
  /** Without a trailing slash. */
  readonly publicUrl: string;
  /** Where this process listens for HTTP; the other two perhaps another one. */
  readonly http: ListenAddress;
  readonly submission: ListenAddress;
  readonly inbound: ListenAddress;
}

/**
 * Starts everything; resolves when all of it takes work.
 * @throws ConfigError, SecretFileError, FolderLockedError, FolderUnusableError, and what the operating system says of an address that cannot be listened on;
 *   what had started is stopped again
 */
export async function startService(config: Config, surroundings: Surroundings = {}): Promise<Service> {
  await using running = new AsyncDisposableStack();
  const ground = await prepareGround(config, surroundings, running);
  const { store, publicUrl } = ground;

  const acceptFrom = (checkSender: CheckSender): Accept =>
    createAccept({
      intake: store.intake,
      mailSettings: store.mailSettings,
      checkSender,
      clock: ground.clock,
      random: ground.random,
      hostname: config.hostname,
      limits: config.limits,
    });
  const giveWay = new GiveWay({ clock: ground.clock, load: loopLoad() });
  const acceptMail = acceptFrom(
    createSenderCheck({
      domains: store.domains,
      staysHere: (recipient) => config.route.kind === 'simulator' || isSimulatorAddress(recipient),
    }),
  );
  const accept: Accept = (draft) => {
    giveWay.mailCame();
    return acceptMail(draft);
  };

  // One for both doors: who guesses at one is slowed at the other.
  const doorkeeper = credentials(store.accounts, ground.clock);
  const state = { ready: false };
  const { roles } = config;
  const posts = openPosts(ground);
  // Stopped after all that makes events, and begun last: what waits to be told would have to share the time of starting.
  const telling = running.use(new AsyncDisposableStack());
  // The API tells of a door that opens last.
  let submissionDoor = config.submission;
  if (roles.has('api')) {
    await startHttp(ground, posts, {
      accept,
      doorkeeper,
      ready: () => state.ready,
      submission: () => ({ host: nameForOthers(ground, submissionDoor.host), port: submissionDoor.port }),
    });
  } else await startOperations(ground, () => state.ready);
  const inbound = roles.has('inbound') ? await startBack(ground) : config.inbound;
  if (roles.has('delivery')) {
    const simulator = await startSimulated(ground, inbound);
    const delivery = running.use(await startOut(ground, simulator, giveWay));
    running.defer(store.queue.subscribe(() => delivery.wake()));
  }
  if (roles.has('submission')) submissionDoor = await startIn(ground, { accept, doorkeeper });
  running.use(
    startForgetting({
      retention: store.retention,
      clock: ground.clock,
      keep: config.keep,
      logger: ground.logger,
      tellOfExpiring: () => tellOfExpiring({ ...store, clock: ground.clock }, config.keep.eventsMs),
    }),
  );
  running.use(startStatistics(ground));
  if (config.noticeFrom !== '') {
    const { webhooks, accounts } = store;
    const { clock, logger } = ground;
    // The operator's own address: no account has to have shown that it is its.
    const accept = acceptFrom(async () => undefined);
    running.use(startNoticeMailer({ webhooks, accounts, accept, from: config.noticeFrom, clock, logger }));
  }
  if (roles.has('webhooks')) telling.use(await startSending(ground, posts));
  state.ready = true;
  running.defer(() => {
    state.ready = false;
  });

  const stop = running.move();
  return {
    store,
    publicUrl,
    http: ground.http,
    submission: submissionDoor,
    inbound,
    [Symbol.asyncDispose]: () => stop.disposeAsync(),
  };
}

/** What every door needs. */
interface Entrance {
  readonly accept: Accept;
  readonly doorkeeper: Credentials;
}

/** The way out to webhooks, for sending and for trying one. */
function openPosts({ config, clock, keys, store, running }: Ground) {
  const guard = addressGuard(config.webhookAllow);
  const receiver = new BuiltInReceiver(receiverKey(keys), clock, store.simulator);
  const resolve = receiver.beforeResolve(systemResolve(config.dnsServer));
  const times = { log: new ConnectionLog(), clock };
  const agent = guardedAgent(guard, resolve, { times });
  running.defer(() => agent.destroy());
  const post = receiver.before(running.use(openPost(agent, clock, times.log)).post);
  const agentWith = ({ certificate: cert, privateKey: key, serverCa }: MutualTls) =>
    guardedAgent(guard, resolve, { tls: { cert, key, ...(serverCa !== '' && { ca: serverCa }) }, times });
  return { guard, resolve, post, agentWith, receiver };
}

type Posts = ReturnType<typeof openPosts>;

function startSending({ clock, random, logger, store, seal }: Ground, { post, agentWith }: Posts) {
  const { log, webhooks, replays } = store;
  const vault = openVault(seal);
  return startWebhooks({ log, webhooks, replays, post, vault, agentWith, clock, random, logger });
}

/** The API and the tracking routes: all that speaks HTTP. */
async function startHttp(
  ground: Ground,
  posts: Posts,
  {
    accept,
    doorkeeper,
    ready,
    submission,
  }: Entrance & { readonly ready: () => boolean; readonly submission: () => ListenAddress },
): Promise<void> {
  const { config, clock, random, logger, registry, store, keys, seal, http, publicUrl, running } = ground;
  const { webhooks, replays, log, suppressions } = store;
  const endpoints = createEndpoints({ webhooks, seal, clock, random, ...posts });
  const root = join(config.dataFolder, 'visits');
  const journal = running.use(await Journal.open(root, random));
  const onSynced = measureSyncs(registry);
  const load = loopLoad();
  const telling = { log, clock, logger, load, onSynced };
  const recorder = running.use(await Recorder.open({ ...telling, journal }));
  running.use(startTellingLeft({ ...telling, root, random }));
  measureVisits(registry, recorder);
  const tokens = signedTokens(keys);
  const api = await buildApi({
    accept,
    store,
    credentials: doorkeeper,
    people: createPeople({ users: store.users, passwords: passwords(random), seal, clock, random }),
    ...byProvider(ground),
    submission,
    consoleFolder: fileURLToPath(new URL('../console/dist/', import.meta.url)),
    clock,
    random,
    logger: httpLogger(logger),
    registry,
    publicUrl,
    anyTrackingName: config.route.kind === 'simulator',
    limits: config.limits,
    metricsToken: config.metricsToken,
    isProxy: inNetworks(config.proxies),
    ready,
    routes: {
      quick: quickVisits({ tokens, recorder, clock }),
      open: [(app) => trackRoutes(app, { tokens, recorder, log, suppressions, clock })],
      native: [
        (app) => domainRoutes(app, { domains: sendingDomains(ground), store: store.domains }),
        (app) => webhookRoutes(app, { endpoints, webhooks, log, clock }),
        (app) => receiverRoute(app, posts.receiver),
        (app) =>
          webhookRecordRoutes(app, {
            endpoints,
            webhooks,
            log,
            replays,
            clock,
            newReplays: createReplays({ log, webhooks, replays, clock }),
          }),
        (app) => eventStreamRoute(app, { log, clock }),
      ],
      msndr: [(app) => msndrWebhookRoutes(app, { endpoints, webhooks })],
    },
  });
  running.defer(() => api.close());
  await api.listen({ host: http.host, port: http.port });
}

/** Fastify says at info that it listens; whoever starts the service says it better. */
const httpLogger = (logger: Logger): Logger =>
  logger.child({ room: 'http' }, logger.level === 'info' ? { level: 'warn' } : {});

/** Every process says how it is. */
async function startOperations(ground: Ground, ready: () => boolean): Promise<void> {
  const { config, clock, logger, registry, store, http, running } = ground;
  const app = buildOperations({
    registry,
    queue: store.queue,
    identity: store.identity,
    clock,
    limits: config.limits,
    metricsToken: config.metricsToken,
    isProxy: inNetworks(config.proxies),
    ready,
    logger: httpLogger(logger),
  });
  running.defer(() => app.close());
  await app.listen({ host: http.host, port: http.port });
}

/** What signing in by an OpenID provider takes. */
function byProvider({ config: { oidc }, clock, random, logger, store, seal, publicUrl }: Ground) {
  const redirectUri = `${publicUrl}${providerCallbackPath}`;
  if (oidc !== undefined) logger.info({ redirectUri }, `people may sign in by ${oidc.issuer}`);
  return {
    provider: oidc && createProvider(oidc, { redirectUri, seal, clock, random }),
    admissions: admissionsBy(oidc?.admit ?? [], { accounts: store.accounts, logger }),
  };
}

function startStatistics({ config, clock, logger, registry, store }: Ground): AsyncDisposable {
  const counted = new Counter({
    name: 'aftersend_events_counted_total',
    help: 'Events of the log that were added to the statistics by this process',
    registers: [registry],
  });
  const { statistics, log } = store;
  const hostsAreMx = config.route.kind === 'mx';
  const onCounted = (events: number) => counted.inc(events);
  return startCounting({ statistics, log, clock, logger, hostsAreMx, onCounted });
}

function sendingDomains({ config, clock, random, store, seal, publicUrl }: Ground) {
  return createDomains({
    domains: store.domains,
    seal,
    clock,
    random,
    trackingHostOf: (accountId) => store.mailSettings.hostOf(accountId),
    names: { hostname: config.hostname, publicHost: new URL(publicUrl).hostname },
    freshResolver: () => createResolver({ server: config.dnsServer, clock, random }),
  });
}

/** The door for bounce, complaint and unsubscribe mail. */
async function startBack(ground: Ground): Promise<ListenAddress> {
  const { config, clock, logger, registry, store, certificate, links, running } = ground;
  const received = new Counter({
    name: 'aftersend_inbound_total',
    help: 'Mail to our own addresses, by what became of it',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const { host, port } = running.use(
    await startInbound({
      listen: config.inbound,
      hostname: config.hostname,
      certificate,
      readAddress: (address) =>
        links.readAddress(address) ?? (links.isReportAddress(address) ? 'anything' : undefined),
      readToken: (local) => links.readAddress(`${local}@${config.hostname}`),
      classify,
      log: store.log,
      messages: store.messages,
      reports: store.reports,
      count: (outcome) => received.inc({ outcome }),
      clock,
      logger,
    }),
  );
  return { host, port };
}

/** How much a message may grow on its way out, by tracked links and headers. */
const preparedExtraBytes = 2 ** 20;

/** The built-in receiver at simulator.test, on a port of its own. */
async function startSimulated(ground: Ground, inbound: ListenAddress): Promise<ListenAddress> {
  const { config, clock, random, logger, store, http, publicUrl, links, running } = ground;
  const { host, port } = running.use(
    await startSimulator({
      messageBytes: config.limits.messageBytes + preparedExtraBytes,
      isOurs: (url) => links.isOurs(url),
      http: () => (config.roles.has('api') ? `http://${hostInUrl(http.host)}:${http.port}` : publicUrl),
      inbound: () => reachable(inbound),
      softBounce: (envelope) => store.simulator.softBounce(envelope),
      clock,
      random,
      logger,
    }),
  );
  return { host, port };
}

/** Where recipients' servers listen. */
const smtpPort = 25;

/** The names of this service in DNS, by which an MX record may lead back to it. */
function ownNamesOf({ hostname, sources }: Config): readonly string[] {
  return [hostname, ...sources.map(({ ehloName }) => ehloName)].map((name) => name.toLowerCase());
}

function poolsOf({ sources }: Config): readonly Pool[] {
  return [...Map.groupBy(sources, ({ pool }) => pool)].map(([name, list]) => ({ name, sources: list }));
}

/** From the queue to the recipients' servers. */
function startOut(ground: Ground, simulator: ListenAddress, giveWay: GiveWay) {
  const { config, clock, random, logger, registry, store, seal, links, publicUrl, running } = ground;
  const guard = addressGuard(config.deliveryAllow);
  const resolver = createResolver({ server: config.dnsServer, clock, random });
  const agent = guardedAgent(guard, systemResolve(config.dnsServer));
  running.defer(() => agent.destroy());
  const tlsResults = new Counter({
    name: 'aftersend_tls_sessions_total',
    help: 'Sessions with recipients’ servers by policy and result, in the words of TLS-RPT (RFC 8460)',
    labelNames: ['policy', 'result'],
    registers: [registry],
  });
  const countTls: CountTls = (policy, result) => tlsResults.inc({ policy, result });
  const ownPool: Pool = { name: '', sources: [{ address: '', ehloName: config.hostname }] };
  return startDelivery({
    queue: store.queue,
    paceStore: store.paces,
    router: createRouter({
      route: config.route,
      simulator,
      mailHosts: createMailHosts({ resolver, mayConnect: guard, ownNames: ownNamesOf(config), random }),
      demandsOf: createDemands({
        resolver,
        findStsPolicy: createStsPolicies({ resolver, agent, clock, count: countTls }),
        tlsRequired: config.tlsRequired,
        port: smtpPort,
        count: countTls,
      }),
      destinations: config.destinations,
      port: smtpPort,
      poolOf: createPools(poolsOf(config), config.pools, ownPool),
      ownPool,
      clock,
    }),
    prepare: createPrepare({
      rewriteForRecipient,
      links,
      identityOf: createIdentities({ domains: store.domains, seal }),
      publicUrl,
    }),
    clock,
    random,
    logger,
    countTls,
    settings: { retry: config.retry, limits: defaultLimits },
    giveWay,
  });
}

/** The door for programs that submit by SMTP: the last to open, when all that follows is there. */
async function startIn(ground: Ground, { accept, doorkeeper }: Entrance): Promise<ListenAddress> {
  const { config, clock, logger, store, certificate, running } = ground;
  const { host, port } = running.use(
    await startSubmission({
      listen: config.submission,
      hostname: config.hostname,
      limits: config.limits,
      certificate,
      trusted: config.trusted,
      accounts: store.accounts,
      credentials: doorkeeper,
      accept,
      clock,
      logger,
    }),
  );
  return { host, port };
}

/** Addresses of the built-in receiver stay the same as long as the first secret does. */
function receiverKey(keys: SecretKeys): Buffer {
  const key = keys.key('receiver', 0);
  if (key === undefined) throw new Error('there is no first secret');
  return key;
}

/** What others call a listener: itself on loopback, by the server's name elsewhere. */
function nameForOthers({ config }: Ground, host: string): string {
  return /^(127\.|::1$|localhost$)/.test(host) ? host : config.hostname;
}
