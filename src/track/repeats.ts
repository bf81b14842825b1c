/**
 * How often each link is asked for. A link that one message's readers, or a robot, ask for again and again makes so many
 * visits that are told one by one, and beyond that one count for the rest of the hour: what one message puts into the log
 * is bounded, however long somebody goes on.
 */
import type { Visit } from './visit.ts';

/** Of one link, told one by one. A message that a mailing list passes on may well be opened that often. */
const mostAlone = 100;
const windowMs = 3_600_000;
/** Links that are counted; beyond it those that were asked for seldom begin again. */
const mostLinks = 50_000;

/** Visits of one link that are told together. */
export interface Tally {
  count: number;
  last: Visit;
  /** When its hour began. Link and hour name a tally. */
  readonly sinceMs: number;
}

export class Repeats {
  #sinceMs = 0;
  #isCounting = false;
  readonly #links = new Map<string | number, { asked: number; tally: Tally | undefined }>();

  /** @returns the tally that it went into; undefined if it is to be told alone */
  count(visit: Visit): Tally | undefined {
    const name = nameOf(visit);
    const link = this.#links.get(name);
    if (link === undefined) {
      this.#add(name, visit.atMs);
      return undefined;
    }
    link.asked++;
    if (link.asked <= mostAlone) return undefined;
    link.tally ??= { count: 0, last: visit, sinceMs: this.#sinceMs };
    this.#isCounting = true;
    link.tally.count++;
    link.tally.last = visit;
    return link.tally;
  }

  /** Whether the hour is over; it begins with the first visit after the last one. */
  isOver(nowMs: number): boolean {
    return this.#links.size > 0 && (nowMs - this.#sinceMs >= windowMs || nowMs < this.#sinceMs);
  }

  get endsAtMs(): number {
    return this.#sinceMs + windowMs;
  }

  /** Whether the end of the hour will have something to tell. */
  get isCounting(): boolean {
    return this.#isCounting;
  }

  /** Begins anew. @returns what was counted */
  end(): Tally[] {
    const tallies = [...this.#links.values()].flatMap(({ tally }) => tally ?? []);
    this.#links.clear();
    this.#isCounting = false;
    return tallies;
  }

  #add(name: string | number, atMs: number): void {
    if (this.#links.size === 0) this.#sinceMs = atMs;
    if (this.#links.size >= mostLinks) this.#forgetSeldom();
    if (this.#links.size < mostLinks) this.#links.set(name, { asked: 1, tally: undefined });
  }

  #forgetSeldom(): void {
    for (const [name, { tally }] of this.#links) if (tally === undefined) this.#links.delete(name);
  }
}

const nameOf = ({ type, messageId, url }: Visit): string | number =>
  type === 'opened' ? messageId : `${messageId} ${url}`;
