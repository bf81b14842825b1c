/** How far a stream has come, in memory and in the store: what moved is saved in groups, and never lost on the way. */
import type { Clock } from '../platform/clock.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import type {
  NewNotice,
  ProgressSave,
  ProgressSaved,
  StreamProgress,
} from '../store/contract/webhook-progress.ts';
import type { WebhookStore } from '../store/contract/webhooks.ts';
import { Journal } from './journal.ts';
import type { Stream } from './sources.ts';

/** A cursor that moved is saved after so long, or so many requests. */
const saveAfterMs = 1_000;
const saveAfterRequests = 500;
/** A store that fails is tried again after this. */
const storeAwayMs = 500;

/** The settings changed or the endpoint went while a batch was under way: whoever runs the sender starts it anew. */
export class OutdatedError extends Error {
  override readonly name = 'OutdatedError';
}

interface StateDependencies {
  readonly webhooks: Pick<WebhookStore, 'saveProgress'>;
  readonly clock: Clock;
  /** The stream's own: aborted when it is stopped, and by itself when it is outdated. */
  readonly stopping: AbortController;
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
  readonly #facts: Pick<ProgressSave, 'webhookId' | 'turn' | 'replayId' | 'settingsVersion'>;
  /** Since when something of the progress is not saved. */
  #unsavedSinceMs: number | undefined;
  #saving: Promise<void> = Promise.resolve();
  #savesAside = false;

  constructor(
    {
      webhook: { id: webhookId, settingsVersion },
      turn,
      replay,
    }: Pick<Stream, 'webhook' | 'turn' | 'replay'>,
    progress: StreamProgress,
    deps: StateDependencies,
  ) {
    const replayId = replay?.id ?? 0;
    this.#facts = { webhookId, turn, replayId, settingsVersion };
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
    if (this.#savesAside || (this.journal.requests < saveAfterRequests && !isTime)) return;
    this.#savesAside = true;
    void this.save()
      .catch(() => undefined)
      .finally(() => {
        this.#savesAside = false;
      });
  }

  /**
   * @param always also when nothing has moved since the last save
   * @throws OutdatedError
   */
  save(always = false, extras: SaveExtras = {}): Promise<void> {
    // One after the other: none may put an older progress in the place of a newer one.
    const saving = this.#saving.then(() => this.#saveNow(always, extras));
    this.#saving = saving.catch(() => undefined);
    return saving;
  }

  async #saveNow(always: boolean, { notices = [], pause, finishedAtMs }: SaveExtras): Promise<void> {
    if (!always && this.#unsavedSinceMs === undefined) return;
    const { clock, stopping } = this.#deps;
    this.#unsavedSinceMs = undefined;
    const entries = this.journal.empty();
    const input = { ...this.#facts, progress: this.progress, ...entries };
    const saved = await this.#savePatiently({ ...input, notices, pause, finishedAtMs }).catch(
      (error: unknown) => {
        // The next one says where the stream is after all of this: it has to say all of this, too.
        this.journal.putBack(entries);
        this.#unsavedSinceMs ??= clock.now();
        throw error;
      },
    );
    if (saved === 'saved') return;
    stopping.abort();
    throw new OutdatedError();
  }

  /** A store that is away comes back: what was sent meanwhile would be sent again if it were forgotten. */
  async #savePatiently(input: ProgressSave): Promise<ProgressSaved> {
    const { webhooks, clock, stopping } = this.#deps;
    for (;;) {
      try {
        return await webhooks.saveProgress(input);
      } catch (error) {
        if (!(error instanceof StoreBusyError) || stopping.signal.aborted) throw error;
        await clock.sleep(storeAwayMs, stopping.signal);
      }
    }
  }
}
