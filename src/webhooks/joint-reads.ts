/**
 * Reads of the log by endpoints that send one event a request. Those of one account read the same pages at about the
 * same time, so a page that one of them has read is given to the others. Only a full one: what is not full may have
 * grown since. It is held weakly, so that nothing stays in memory that no sender has, and for a moment only, so that
 * what is deleted from the log is not sent for long.
 */
import type { LoggedEvent } from '../events/types.ts';
import type { Clock } from '../platform/clock.ts';
import type { EventLog, LogPage } from '../store/contract/log.ts';

/** Larger pages are few, and their requests many times as long. */
const mostEvents = 100;
const goodForMs = 1_000;
/** How far apart those may be who share, in pages. */
const mostPages = 8;

type Question = Parameters<EventLog['readAfter']>[0];

interface Shared {
  readonly question: string;
  readonly events: WeakRef<readonly LoggedEvent[]>;
  readonly scannedTo: number;
  readonly readAtMs: number;
}

export class JointReads {
  readonly #log: Pick<EventLog, 'readAfter'>;
  readonly #clock: Pick<Clock, 'now'>;
  /** Oldest first. */
  #pages: Shared[] = [];

  constructor(log: Pick<EventLog, 'readAfter'>, clock: Pick<Clock, 'now'>) {
    this.#log = log;
    this.#clock = clock;
  }

  async readAfter(input: Question): Promise<LogPage> {
    if (input.limit > mostEvents) return this.#log.readAfter(input);
    const question = JSON.stringify(input);
    const readAtMs = this.#clock.now();
    this.#pages = this.#pages.filter((one) => Math.abs(readAtMs - one.readAtMs) < goodForMs);
    const known = this.#pages.find((one) => one.question === question);
    const events = known?.events.deref();
    if (known !== undefined && events !== undefined) {
      return { events, scannedTo: known.scannedTo, atEnd: false };
    }
    const page = await this.#log.readAfter(input);
    if (page.events.length === input.limit && !page.atEnd) {
      const { scannedTo } = page;
      this.#pages.push({ question, events: new WeakRef(page.events), scannedTo, readAtMs });
      if (this.#pages.length > mostPages) this.#pages.shift();
    }
    return page;
  }
}
