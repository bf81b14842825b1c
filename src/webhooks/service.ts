/**
 * The service that sends: one sender for each endpoint that is on, woken by the log, started anew when its owner changes
 * it. Each is alone with its receiver: what one waits for, no other feels.
 */
import type { Clock } from '../platform/clock.ts';
import type { EventLog } from '../store/contract/log.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import { type ReplayStore, shareHoldsForMs, type WebhookStore } from '../store/contract/webhooks.ts';
import { Sender, type SenderDependencies } from './sender.ts';
import { JointReads } from './joint-reads.ts';
import { type Slot, Slots } from './slots.ts';
import { liveSource, replaySource, type Stream } from './sources.ts';

/** The wait before a sender that has failed is started again, and one that the store has failed for a while. */
const restartMs = 30_000;
const storeAwayMs = 1_000;
/** How often it asks which endpoints are its own, among the processes that send. */
const shareEveryMs = 5_000;
/** Unanswered for so long, it stops sending: well before others may take its endpoints. */
const silentForMs = shareHoldsForMs / 2;
/** Between two askings of one who wants to send and may not yet. */
const askAgainMs = 500;

export interface WebhookServiceDependencies extends Omit<SenderDependencies, 'slots' | 'webhooks'> {
  readonly webhooks: WebhookStore;
  readonly replays: Pick<ReplayStore, 'running'>;
  readonly log: EventLog;
}

export async function startWebhooks(dependencies: WebhookServiceDependencies): Promise<AsyncDisposable> {
  const service = new WebhookService(dependencies);
  await service.start();
  return service;
}

/** The live stream and the replays of an endpoint. */
interface Running {
  readonly senders: readonly Sender[];
  readonly accountId: number;
}

class WebhookService implements AsyncDisposable {
  readonly #deps: WebhookServiceDependencies & SenderDependencies;
  readonly #clock: Clock;
  readonly #reads: JointReads;
  readonly #closing = new AbortController();
  readonly #senders = new Map<number, Running>();
  readonly #ofAccount = new Map<number, Set<Sender>>();
  /** What is being started or stopped, an endpoint's one after the other. */
  readonly #changes = new Map<number, Promise<void>>();
  #unsubscribe: readonly (() => void)[] = [];
  /** The endpoints that no other process sends for, with their turns. */
  #held: ReadonlyMap<number, number> = new Map();
  #revisions: ReadonlyMap<number, string> = new Map();
  #sharedAtMs = 0;
  #asking: Promise<void> | undefined;
  #sharing: Promise<void> = Promise.resolve();

  constructor(dependencies: WebhookServiceDependencies) {
    this.#clock = dependencies.clock;
    this.#reads = new JointReads(dependencies.log, dependencies.clock);
    const slots = new Slots(dependencies.clock, this.#closing.signal);
    this.#deps = {
      ...dependencies,
      slots: {
        take: (kind) => (this.#mayBeLost ? undefined : slots.take(kind)),
        acquire: async (kind, signal) => this.#whenHeld(await slots.acquire(kind, signal), signal),
      },
    };
  }

  async start(): Promise<void> {
    const { log, webhooks } = this.#deps;
    this.#unsubscribe = [
      log.subscribe((accountIds) => this.#wake(accountIds)),
      webhooks.subscribe((webhookId) => this.#changed(webhookId)),
    ];
    await this.#share();
    this.#sharing = this.#keepSharing();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#closing.abort();
    await this.#sharing;
    await Promise.all(this.#changes.values());
    const running = [...this.#senders.values()];
    this.#senders.clear();
    await Promise.all(running.flatMap(({ senders }) => senders.map((sender) => sender.stop())));
    // Without it, others would wait until this process is taken for dead.
    await this.#deps.webhooks.letGo([...this.#held.keys()]).catch(() => undefined);
  }

  /** An endpoint that was made is in nobody's share yet. */
  #changed(webhookId: number): void {
    if (this.#held.has(webhookId)) this.#renew(webhookId);
    else void this.#shareAnew();
  }

  /** Not with the answer to what was asked before now. */
  async #shareAnew(): Promise<void> {
    await this.#asking;
    await this.#share();
  }

  async #keepSharing(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(shareEveryMs, this.#closing.signal);
      if (!this.#closing.signal.aborted) await this.#share();
    }
  }

  /** Asks for this process's share, one asking at a time, and starts and stops senders by it. Never rejects. */
  #share(): Promise<void> {
    this.#asking ??= this.#askForShare()
      .catch((error: unknown) =>
        this.#deps.logger.error({ err: error }, 'the share of endpoints is not known'),
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #askForShare(): Promise<void> {
    const { webhooks } = this.#deps;
    const askedAtMs = this.#clock.now();
    try {
      const { held, excess, revisions } = await webhooks.takeShare();
      this.#sharedAtMs = askedAtMs;
      this.#hold(new Map([...held].filter(([id]) => !excess.has(id))));
      this.#seeChanges(revisions);
      for (const id of excess) await this.#changes.get(id);
      if (excess.size > 0) await webhooks.letGo([...excess]);
    } catch (error) {
      // Others may hold them by now.
      if (this.#clock.now() - this.#sharedAtMs > silentForMs) this.#hold(new Map());
      throw error;
    }
  }

  get #mayBeLost(): boolean {
    return this.#clock.now() - this.#sharedAtMs > silentForMs;
  }

  /**
   * Nothing is sent while others may be sending for the same endpoint: a process that was paused asks first, and its
   * senders are stopped if they have lost what they sent for.
   */
  async #whenHeld(slot: Slot | undefined, signal: AbortSignal): Promise<Slot | undefined> {
    for (let asked = 0; this.#mayBeLost && !signal.aborted; asked++) {
      if (asked > 0) await this.#clock.sleep(askAgainMs, signal);
      await this.#share();
    }
    if (!signal.aborted) return slot;
    slot?.release();
    return undefined;
  }

  /** In another turn somebody else has sent meanwhile: what is known of the progress is old. */
  #hold(held: ReadonlyMap<number, number>): void {
    const before = this.#held;
    this.#held = held;
    for (const [id, turn] of held) if (before.get(id) !== turn) this.#renew(id);
    for (const id of before.keys()) if (!held.has(id)) this.#renew(id);
  }

  /** Finds what a lost notice would have told of; what was heard of is only begun once more. */
  #seeChanges(revisions: ReadonlyMap<number, string>): void {
    const before = this.#revisions;
    this.#revisions = revisions;
    for (const [id, revision] of revisions) {
      if (this.#held.has(id) && (before.get(id) ?? revision) !== revision) this.#renew(id);
    }
  }

  #wake(accountIds: ReadonlySet<number>): void {
    for (const accountId of accountIds) {
      for (const sender of this.#ofAccount.get(accountId) ?? []) sender.wake();
    }
  }

  /** Stops the endpoint's sender and starts one with what is stored now, after any such change under way. */
  #renew(webhookId: number): void {
    const before = this.#changes.get(webhookId) ?? Promise.resolve();
    const change = before
      .then(() => this.#replace(webhookId))
      .catch((error: unknown) => {
        this.#deps.logger.error(
          { webhook: webhookId, err: error },
          'a webhook endpoint could not be started',
        );
        void this.#renewLater(webhookId, error);
      });
    this.#changes.set(webhookId, change);
    void change.finally(() => this.#changes.get(webhookId) === change && this.#changes.delete(webhookId));
  }

  async #renewLater(webhookId: number, error: unknown): Promise<void> {
    const waitMs = error instanceof StoreBusyError ? storeAwayMs : restartMs;
    await this.#clock.sleep(waitMs, this.#closing.signal);
    if (!this.#closing.signal.aborted) this.#renew(webhookId);
  }

  async #replace(webhookId: number): Promise<void> {
    const running = this.#senders.get(webhookId);
    if (running !== undefined) {
      // Forgotten first: that they end is no surprise then.
      this.#forget(webhookId, running);
      await Promise.all(running.senders.map((sender) => sender.stop()));
    }
    const turn = this.#held.get(webhookId);
    if (this.#closing.signal.aborted || turn === undefined) return;
    const webhook = await this.#deps.webhooks.load(webhookId);
    if (webhook === undefined || webhook.pausedBy !== undefined) return;
    const { accountId, progress } = webhook;
    const replays = await this.#deps.replays.running(webhookId);
    const live: Stream = {
      webhook,
      turn,
      progress,
      source: liveSource(this.#reads, webhook),
      replay: undefined,
    };
    const senders = [
      live,
      ...replays.map(({ id, selection, progress }) => ({
        webhook,
        turn,
        progress,
        source: replaySource(this.#deps, webhook, selection),
        replay: { id, isOfSetAside: selection.kind === 'set-aside' },
      })),
    ].map((stream) => new Sender(stream, this.#deps));
    const started: Running = { senders, accountId };
    this.#senders.set(webhookId, started);
    const ofAccount = this.#ofAccount.get(accountId) ?? new Set();
    this.#ofAccount.set(accountId, ofAccount);
    for (const [index, sender] of senders.entries()) {
      ofAccount.add(sender);
      sender.done.then(
        () => (index === 0 ? this.#ended(webhookId, started) : undefined),
        (error: unknown) => {
          const line = { webhook: webhookId, err: error };
          this.#deps.logger.error(line, 'a webhook endpoint stopped and is started again');
          void this.#renewLater(webhookId, error);
        },
      );
    }
  }

  /** If nobody here stopped it, its settings are no longer those in the store, or its turn is over. */
  async #ended(webhookId: number, running: Running): Promise<void> {
    if (this.#senders.get(webhookId) !== running) return;
    await this.#shareAnew();
    if (this.#senders.get(webhookId) === running) this.#renew(webhookId);
  }

  #forget(webhookId: number, { senders, accountId }: Running): void {
    this.#senders.delete(webhookId);
    const ofAccount = this.#ofAccount.get(accountId);
    for (const sender of senders) ofAccount?.delete(sender);
    if (ofAccount?.size === 0) this.#ofAccount.delete(accountId);
  }
}
