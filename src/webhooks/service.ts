/**
 * The service that sends: one sender for each endpoint that is on, woken by the log, started anew when its owner changes
 * it. Each is alone with its receiver: what one waits for, no other feels.
 */
import type { Clock } from '../platform/clock.ts';
import { Sender, type SenderDependencies } from './sender.ts';
import { Slots } from './slots.ts';

/** The wait before a sender that the store has failed is started again. */
const restartMs = 30_000;

export type WebhookServiceDependencies = Omit<SenderDependencies, 'slots'>;

export async function startWebhooks(dependencies: WebhookServiceDependencies): Promise<AsyncDisposable> {
  const service = new WebhookService(dependencies);
  await service.start();
  return service;
}

interface Running {
  readonly sender: Sender;
  readonly accountId: number;
}

class WebhookService implements AsyncDisposable {
  readonly #deps: SenderDependencies;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #senders = new Map<number, Running>();
  readonly #ofAccount = new Map<number, Set<Sender>>();
  /** What is being started or stopped, an endpoint's one after the other. */
  readonly #changes = new Map<number, Promise<void>>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(dependencies: WebhookServiceDependencies) {
    this.#clock = dependencies.clock;
    this.#deps = { ...dependencies, slots: new Slots(dependencies.clock, this.#closing.signal) };
  }

  async start(): Promise<void> {
    const { log, webhooks } = this.#deps;
    this.#unsubscribe = [
      log.subscribe((accountIds) => this.#wake(accountIds)),
      webhooks.subscribe((webhookId) => this.#renew(webhookId)),
    ];
    for (const webhookId of await webhooks.loadIds()) this.#renew(webhookId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#closing.abort();
    await Promise.all(this.#changes.values());
    const running = [...this.#senders.values()];
    this.#senders.clear();
    await Promise.all(running.map(({ sender }) => sender.stop()));
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
        this.#deps.logger.error({ webhook: webhookId, error }, 'a webhook endpoint could not be started');
        void this.#renewLater(webhookId);
      });
    this.#changes.set(webhookId, change);
    void change.finally(() => this.#changes.get(webhookId) === change && this.#changes.delete(webhookId));
  }

  async #renewLater(webhookId: number): Promise<void> {
    await this.#clock.sleep(restartMs, this.#closing.signal);
    if (!this.#closing.signal.aborted) this.#renew(webhookId);
  }

  async #replace(webhookId: number): Promise<void> {
    const running = this.#senders.get(webhookId);
    if (running !== undefined) {
      // Forgotten first: that it ends is no surprise then.
      this.#forget(webhookId, running);
      await running.sender.stop();
    }
    if (this.#closing.signal.aborted) return;
    const webhook = await this.#deps.webhooks.load(webhookId);
    if (webhook === undefined || webhook.paused) return;
    const sender = new Sender(webhook, this.#deps);
    const { accountId } = webhook;
    this.#senders.set(webhookId, { sender, accountId });
    const ofAccount = this.#ofAccount.get(accountId) ?? new Set();
    this.#ofAccount.set(accountId, ofAccount.add(sender));
    sender.done.then(
      // It ended although nobody here stopped it: its settings are no longer those in the store.
      () => this.#senders.get(webhookId)?.sender === sender && this.#renew(webhookId),
      (error: unknown) => {
        this.#deps.logger.error(
          { webhook: webhookId, error },
          'a webhook endpoint stopped and is started again',
        );
        void this.#renewLater(webhookId);
      },
    );
  }

  #forget(webhookId: number, { sender, accountId }: Running): void {
    this.#senders.delete(webhookId);
    const ofAccount = this.#ofAccount.get(accountId);
    ofAccount?.delete(sender);
    if (ofAccount?.size === 0) this.#ofAccount.delete(accountId);
  }
}
