/**
 * The HTTP application: what holds for every request (bounds, envelopes, security headers, who is calling), and where
 * each family of routes is hung in. Routes come from the rooms that own them; this file knows none of their business.
 */
import { isUtf8 } from 'node:buffer';
import { createServer } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import type { Registry } from 'prom-client';
import type { Credentials } from '../accept/credentials.ts';
import type { Accept } from '../accept/draft.ts';
import type { Clock, Random } from '../platform/clock.ts';
import type { Store } from '../store/contract/store.ts';
import type { App } from './app.ts';
import { authentication } from './authentication.ts';
import { auditing, checkRole, sessionAuthentication } from './sessions.ts';
import { ownSessionRoutes, signInRoutes } from './native/session.ts';
import { userRoutes } from './native/users.ts';
import type { Admissions } from '../users/admissions.ts';
import type { People } from '../users/people.ts';
import type { Provider } from '../users/provider.ts';
import { providerRoutes } from './provider-sign-in.ts';
import { consoleRoutes, type ShowLost } from './console.ts';
import { answerBrokenRequest } from './broken-requests.ts';
import { apiDocument } from './document.ts';
import { envelope } from './envelopes.ts';
import { ApiError } from './errors.ts';
import { msndrRoutes } from './msndr/routes.ts';
import { nativeRoutes } from './native/routes.ts';
import {
  type MeasureRequest,
  type OperationsDependencies,
  operationsRoutes,
  requestMeter,
} from './operations.ts';
import { answeringQuickly, noQuickRoute, type QuickRoute } from './quick-answers.ts';
import { refusalOf } from './refusals.ts';
import { trackingNames } from './tracking-names.ts';
import { unknownRoutes } from './unknown-routes.ts';
import { validatorCompiler } from './validation.ts';

/** Adds routes with their whole paths. */
export type Routes = (app: App) => void | Promise<void>;

export interface ApiDependencies {
  readonly accept: Accept;
  readonly store: Pick<
    Store,
    | 'identity'
    | 'accounts'
    | 'domains'
    | 'mailSettings'
    | 'intake'
    | 'messages'
    | 'log'
    | 'queue'
    | 'reports'
    | 'statistics'
    | 'suppressions'
    | 'templates'
    | 'users'
    | 'webhooks'
  >;
  readonly credentials: Pick<Credentials, 'byToken'>;
  readonly people: People;
  /** By which people may sign in, beside their passwords. */
  readonly provider: Provider | undefined;
  readonly admissions: Admissions;
  /** Where the built console is; the API works without. */
  readonly consoleFolder: string;
  /** Where programs reach the SMTP door. */
  readonly submission: () => { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: FastifyBaseLogger;
  readonly registry: Registry;
  /** Where the API document says that it is. */
  readonly publicUrl: string;
  /** Whether accounts take tracking names without having shown that they are theirs: where no mail leaves the machine. */
  readonly anyTrackingName: boolean;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
  readonly metricsToken: string;
  /** Whether the forwarded client address of a peer is believed. */
  readonly isProxy: (address: string) => boolean;
  /** False while the service starts and stops. */
  readonly ready: () => boolean;
  readonly timeouts?: Timeouts;
  /** Routes of other rooms: before the application, without authentication, and within the two families that have it. */
  readonly routes: {
    readonly quick?: QuickRoute;
    readonly open: readonly Routes[];
    readonly native: readonly Routes[];
    readonly msndr: readonly Routes[];
  };
}

/** How long a client may take; one that stalls is answered 408 and cut off. */
export interface Timeouts {
  readonly headersMs: number;
  /** The whole request. A 25 MiB message in this time needs 1 Mbit/s. */
  readonly requestMs: number;
  /** How often the two are looked at. */
  readonly checkMs: number;
}

const defaultTimeouts: Timeouts = { headersMs: 15_000, requestMs: 240_000, checkMs: 5_000 };
/** Longer than the 60 s after which common proxies close idle connections, so that they never meet a closing one. */
const keepAliveMs = 65_000;
/** Of a request that is not a whole message. */
const maxBodyBytes = 2 * 2 ** 20;

/** A message in JSON: base64 takes a third more, and the rest of the request stands beside it. */
const messageBodyBytes = (messageBytes: number): number => Math.ceil(messageBytes * 1.4) + 2 ** 20;

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/**
 * What a process that has no API serves: how it is. @returns the application, not listening
 */
export function buildOperations(
  dependencies: OperationsDependencies & Pick<ApiDependencies, 'logger' | 'isProxy'>,
): App {
  const measure = requestMeter(dependencies.registry);
  const app = bareApp(dependencies, measure);
  unknownRoutes(app);
  operationsRoutes(app, { ...dependencies, measure });
  return app;
}

/** @returns the application, complete but not listening; `listen` and `close` are the caller's */
export async function buildApi(dependencies: ApiDependencies): Promise<App> {
  const { publicUrl, credentials, routes } = dependencies;
  const measure = requestMeter(dependencies.registry);
  const app = bareApp(dependencies, measure, routes.quick);
  const whenLost: { show?: ShowLost } = {};
  unknownRoutes(app, (request, reply) => whenLost.show?.(request, reply));
  trackingNames(app, { mailSettings: dependencies.store.mailSettings, publicUrl });
  await apiDocument(app, publicUrl);
  const { queue, identity } = dependencies.store;
  operationsRoutes(app, { ...dependencies, measure, queue, identity });
  whenLost.show = consoleRoutes(app, dependencies.consoleFolder);
  for (const addRoutes of routes.open) await app.register(async (scope: App) => addRoutes(scope));

  const byToken = authentication(credentials);
  const { users, accounts } = dependencies.store;
  const sessions = { ...dependencies, users, accounts };
  const bySession = sessionAuthentication(sessions);
  const own = { ...dependencies, messageBodyBytes: messageBodyBytes(dependencies.limits.messageBytes) };
  await app.register(async (scope: App) => signInRoutes(scope, sessions));
  const { provider } = dependencies;
  if (provider !== undefined) providerRoutes(app, { ...sessions, provider });
  await app.register(async (scope: App) => {
    const authenticate = async (request: FastifyRequest, reply: FastifyReply) => {
      await (bySession(request) ?? byToken(request, reply));
      checkRole(request);
    };
    scope.addHook('onRequest', async (request, reply) => {
      await authenticate(request, reply);
      request.authenticateAgain = () => authenticate(request, reply);
    });
    scope.addHook('onSend', auditing(sessions));
    nativeRoutes(scope, own);
    ownSessionRoutes(scope, sessions);
    userRoutes(scope, sessions);
    for (const addRoutes of routes.native) await addRoutes(scope);
  });
  await app.register(async (scope: App) => {
    scope.addHook('onRequest', byToken);
    await msndrRoutes(scope, own);
    for (const addRoutes of routes.msndr) await addRoutes(scope);
  });
  return app;
}

function bareApp(
  {
    logger,
    clock,
    isProxy,
    timeouts = defaultTimeouts,
  }: Pick<ApiDependencies, 'logger' | 'clock' | 'isProxy' | 'timeouts'>,
  measure: MeasureRequest,
  route = noQuickRoute,
): App {
  let isClosing = false;
  const quick = {
    ...{ route, headers: securityHeaders, isProxy, clock, measure },
    isClosing: () => isClosing,
  };
  const server = {
    requestTimeout: timeouts.requestMs,
    headersTimeout: timeouts.headersMs,
    connectionsCheckingInterval: timeouts.checkMs,
    keepAliveTimeout: keepAliveMs,
  };
  const app = fastify({
    serverFactory: (application) => createServer(server, answeringQuickly(quick, application)),
    loggerInstance: logger,
    // A line a request would tell more of our users than an operator needs, and cost more than the request.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: (address) => isProxy(address),
    bodyLimit: maxBodyBytes,
    // Answers to requests that are already here are finished; idle connections are closed at once.
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => {
      // Refused before any hook.
      reply.headers(securityHeaders);
      answerRefusal(error, request, reply);
    },
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<TypeBoxTypeProvider>() as App;
  app.setValidatorCompiler(validatorCompiler);
  // Schemas of answers are documentation that tests hold us to; serialising by them would hide a field they lack.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.decorateRequest('account', null as never);
  app.decorateRequest('person', undefined);
  app.decorateRequest('authenticateAgain', undefined);
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(securityHeaders);
    done();
  });
  app.setErrorHandler(answerRefusal);
  readJson(app);
  return app;
}

/** JSON alone is read; an empty body is none, whatever its Content-Type says (curl's DELETE has one and no body). */
function readJson(app: App): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.byteLength === 0) done(null, undefined);
    // RFC 8259 section 8.1. Decoded all the same, another encoding's letters would reach recipients as question marks.
    else if (!isUtf8(body)) done(new ApiError(400, 'json-malformed', 'The body is not UTF-8'));
    else void parse(request, body.toString(), done);
  });
}

function answerRefusal(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = refusalOf(error);
  if (refusal.statusCode === 500) {
    // The route's pattern, not the path: a path may hold a token.
    request.log.error(
      { err: error, method: request.method, route: request.routeOptions.url },
      'request failed',
    );
  }
  if (refusal.retryAfterS !== undefined) reply.header('retry-after', refusal.retryAfterS);
  // Read on, as long as a request may take: closing over unread input would reset the connection, and a client that
  // writes all of its body before it reads would lose the answer.
  reply.removeHeader('connection');
  request.raw.unpipe().resume();
  void reply
    .code(refusal.statusCode)
    .type('application/json; charset=utf-8')
    .send(envelope(request.url, refusal));
}
