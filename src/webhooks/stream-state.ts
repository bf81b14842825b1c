/** How far a stream has come, in memory and in the store: what moved is saved in groups, and never lost on the way. */
import type { Clock } from '../platform/clock.ts';
import type { NewNotice, StreamProgress } from '../store/contract/webhook-progress.ts';
import type { Webhook, WebhookStore } from '../store/contract/webhooks.ts';
import { Journal } from './journal.ts';

/** A cursor that moved is saved after so long, or so many requests. */
const saveAfterMs = 1_000;
const saveAfterRequests = 500;

/** The settings changed or the endpoint went while a batch was under way: whoever runs the sender starts it anew. */
export class OutdatedError extends Error {
  override readonly name = 'OutdatedError';
}

interface StateDependencies {
  readonly webhooks: Pick<WebhookStore, 'saveProgress'>;
  readonly clock: Clock;
  readonly onOutdated: () => void;
}

export interface SaveExtras {
  readonly notices?: readonly NewNotice[];
  readonly pause?: 'gone' | 'failing';
  readonly finishedAtMs?: number;
}

export class StreamState {
  readonly journal: Journal;
  progress: StreamProgress;
  readonly #deps: StateDependencies;
  readonly #facts: {
    readonly webhookId: number;
    readonly replayId: number;
    readonly settingsVersion: number;
  };
  /** Since when something of the progress is not saved. */
  #unsavedSinceMs: number | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(
    { id: webhookId, settingsVersion }: Webhook,
    replayId: number,
    progress: StreamProgress,
    deps: StateDependencies,
  ) {
    this.#facts = { webhookId, replayId, settingsVersion };
    this.#deps = deps;
    this.progress = progress;
    this.journal = new Journal({ replayId, settingsVersion });
  }

  /** Takes the progress over, to be saved by and by. */
  moved(progress: StreamProgress): void {
    this.progress = progress;
    this.#unsavedSinceMs ??= this.#deps.clock.now();
  }

  /** Infinity while nothing waits to be saved. */
  get saveAtMs(): number {
    return (this.#unsavedSinceMs ?? Infinity) + saveAfterMs;
  }

  /** Saves beside the sending, if it is time; what fails here is saved with the next one, or fails there. */
  saveAside(): void {
    const isTime = this.saveAtMs <= this.#deps.clock.now();
    if (this.journal.requests < saveAfterRequests && !isTime) return;
    this.#saving = this.save().catch(() => undefined);
  }

  /**
   * @param always also when nothing has moved since the last save
   * @throws OutdatedError
   */
  async save(always = false, { notices = [], pause, finishedAtMs }: SaveExtras = {}): Promise<void> {
    await this.#saving;
    if (!always && this.#unsavedSinceMs === undefined) return;
    const { webhooks, clock, onOutdated } = this.#deps;
    this.#unsavedSinceMs = undefined;
    const saved = await webhooks
      .saveProgress({
        ...this.#facts,
        progress: this.progress,
        ...this.journal.empty(),
        notices,
        pause,
        finishedAtMs,
      })
      .catch((error: unknown) => {
        this.#unsavedSinceMs ??= clock.now();
        throw error;
      });
    if (saved === 'saved') return;
    onOutdated();
    throw new OutdatedError();
  }
}
