/**
 * What every room stands on: the store, the secret's keys, clock and chance, the addresses. Opened once, by `compose.ts`,
 * before anything starts.
 */
import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import type { ListenAddress } from './config/readers.ts';
import { readOrMakeSecrets } from './config/secret-file.ts';
import { type Config, ConfigError } from './config/settings.ts';
import { longestPutOffMs } from './deliver/retry.ts';
import { type Certificate, readCertificate, readOrMakeCertificate } from './platform/certificate.ts';
import { type Clock, type Random, systemClock, systemRandom } from './platform/clock.ts';
import { hostInUrl, withPort } from './platform/listening.ts';
import type { Store } from './store/contract/store.ts';
import { openStore } from './store/open.ts';
import { remembering } from './store/remember.ts';
import { deriveKeys, type SecretKeys } from './tokens/keys.ts';
import { type TrackingLinks, trackingLinks } from './tokens/links.ts';
import { createSeal, type Seal } from './tokens/sealed-secret.ts';
import { signedTokens } from './tokens/signed.ts';

/** What a test may put in place of the real thing. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/** What every room gets from. */
export interface Ground {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly store: Store;
  readonly keys: SecretKeys;
  readonly seal: Seal;
  readonly certificate: Certificate;
  /** Where HTTP listens, and the URL under which others reach it. */
  readonly http: ListenAddress;
  readonly publicUrl: string;
  readonly links: TrackingLinks;
  /** What starts is pushed here; it stops in the reverse order. */
  readonly running: AsyncDisposableStack;
}

export async function prepareGround(
  config: Config,
  surroundings: Surroundings,
  running: AsyncDisposableStack,
): Promise<Ground> {
  const { clock = systemClock, random = systemRandom } = surroundings;
  const logger = surroundings.logger ?? pino({ level: config.logLevel });
  const processName = random.bytes(9).toString('base64url');
  const bodies = running.use(await openBodies(config, { clock, random, logger }));
  const opened = running.use(await openStore(config, { purpose: 'serve', processName, clock, bodies }));
  const store = remembering(opened, clock);
  const keys = deriveKeys(config.secrets.length > 0 ? config.secrets : readOrMakeSecrets(config.dataFolder));
  if (!(await store.identity.bindSecret(keys.fingerprint))) {
    throw new ConfigError(
      `${config.secrets.length > 0 ? 'AFTERSEND_SECRET_KEY' : `secret.key in ${config.dataFolder}`}: the data was written with another secret. A rotation keeps the old one in front of the new one.`,
    );
  }
  if (config.database === undefined) {
    const longestWaitMs = longestPutOffMs(config.retry);
    const freed = await store.queue.freeLeases({ nowMs: clock.now(), longestWaitMs });
    if (freed > 0) logger.info({ messages: freed }, 'taking up the messages that were under way');
  }

  const http = await withPort(config.http);
  const publicUrl = config.publicUrl ?? `http://${hostInUrl(http.host)}:${http.port}`;
  const links = trackingLinks(signedTokens(keys), publicUrl, config.hostname);
  const certificate = config.tls
    ? readCertificate(config.tls)
    : readOrMakeCertificate(config.dataFolder, config.hostname, { clock, random });
  const registry = new Registry();
  return {
    config,
    clock,
    random,
    logger,
    registry,
    store,
    keys,
    seal: createSeal(keys, random),
    certificate,
    http,
    publicUrl,
    links,
    running,
  };
}

/** Loaded when it is asked for: most installations keep bodies in their database. */
async function openBodies({ bodies }: Config, tools: Pick<Ground, 'clock' | 'random' | 'logger'>) {
  if (bodies === undefined) return undefined;
  const { ObjectBodies } = await import('./store/objects/bodies.ts');
  return new ObjectBodies(bodies, tools);
}
