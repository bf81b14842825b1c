/** What the operator's machinery asks: is it up, can it take mail, how is it doing. No account's things are told here. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';
import type { IdentityStore } from '../store/contract/identity.ts';
import type { QueueStore } from '../store/contract/queue.ts';
import type { App } from './app.ts';
import { ApiError, notFound } from './errors.ts';

export interface OperationsDependencies {
  readonly registry: Registry;
  readonly queue: Pick<QueueStore, 'depth'>;
  readonly identity: Pick<IdentityStore, 'probe'>;
  readonly clock: Clock;
  readonly limits: { readonly messageBytes: number };
  /** Lets others than loopback read the metrics; '' for nobody. */
  readonly metricsToken: string;
  /** False while the service starts and stops. */
  readonly ready: () => boolean;
}

export function operationsRoutes(
  app: App,
  dependencies: OperationsDependencies & { readonly measure: MeasureRequest },
): void {
  const { registry, measure, queue, identity, clock, limits, metricsToken, ready } = dependencies;
  measureRequests(app, measure);
  measureQueue(registry, queue);

  app.get('/healthz', async () => ({ status: 'up' }));

  app.get('/readyz', async () => {
    if (!ready()) throw new ApiError(503, 'not-ready', 'The service is starting or stopping');
    await identity.probe({ nowMs: clock.now(), roomBytes: limits.messageBytes });
    return { status: 'ready' };
  });

  app.get('/metrics', async (request, reply) => {
    if (!mayReadMetrics(request, metricsToken)) throw notFound('page');
    reply.type(registry.contentType);
    return registry.metrics();
  });
}

function mayReadMetrics({ headers, socket }: FastifyRequest, metricsToken: string): boolean {
  const token = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (metricsToken !== '' && token !== undefined && same(token, metricsToken)) return true;
  // A proxy on this machine makes the whole world look like loopback, so what was forwarded does not count as it.
  const forwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  return !forwarded && ipaddr.process(socket.remoteAddress ?? '0.0.0.0').range() === 'loopback';
}

/** In constant time, whatever the lengths. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

export type MeasureRequest = (
  labels: { readonly method: string; readonly route: string; readonly status: number },
  seconds: number,
) => void;

export function requestMeter(registry: Registry): MeasureRequest {
  const histogram = new Histogram({
    name: 'aftersend_http_request_seconds',
    help: 'Time of HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  return (labels, seconds) => histogram.observe(labels, seconds);
}

function measureRequests(app: App, measure: MeasureRequest): void {
  app.addHook('onResponse', ({ method, routeOptions }, reply, done) => {
    // The route's pattern, never the path: a path may hold a token, and has no bound of its own.
    const route = routeOptions.url ?? 'none';
    measure({ method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    done();
  });
}

function measureQueue(registry: Registry, queue: Pick<QueueStore, 'depth'>): void {
  const gauge: Gauge = new Gauge({
    name: 'aftersend_queue_messages',
    help: 'Messages waiting for delivery or being delivered',
    registers: [registry],
    async collect() {
      gauge.set(await queue.depth());
    },
  });
}
