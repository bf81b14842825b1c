/**
 * What a message's visits look like together: how many of its links were followed at once, and by whom headers alone
 * were asked for. In bounded memory, for as long as it can matter; what is forgotten too soon only makes a label milder.
 */
import { habitRules } from './visitor-rules.ts';
import type { Visit } from './visit.ts';

/** Messages that are remembered; beyond it the one that was visited first is forgotten. */
const mostMessages = 20_000;
/** Of one message. A scanner that follows more has given itself away long before. */
const mostVisits = 50;

interface Remembered {
  readonly atMs: number;
  /** '' for an open. */
  readonly url: string;
  readonly userAgent: string;
  readonly isHead: boolean;
}

export class Habits {
  readonly #messages = new Map<number, Remembered[]>();

  note({ messageId, atMs, url, userAgent, isHead }: Visit): void {
    const visits = this.#messages.get(messageId) ?? [];
    // Moves it to the end: the map is in the order of the last visits.
    this.#messages.delete(messageId);
    visits.push({ atMs, url, userAgent, isHead });
    if (visits.length > mostVisits) visits.shift();
    this.#messages.set(messageId, visits);
    if (this.#messages.size > mostMessages) {
      for (const oldest of this.#messages.keys()) {
        this.#messages.delete(oldest);
        break;
      }
    }
  }

  /** Seen from a visit that was noted, with those that came after it. */
  around(visit: Visit): { readonly linksAtOnce: number; readonly askedHead: boolean } {
    const { manyLinks, headBefore } = habitRules;
    const visits = this.#messages.get(visit.messageId) ?? [];
    const links = new Set(
      visits
        .filter(({ url, atMs }) => url !== '' && Math.abs(atMs - visit.atMs) <= manyLinks.withinMs)
        .map(({ url }) => url),
    );
    const askedHead = visits.some(
      ({ isHead, userAgent, atMs }) =>
        isHead &&
        userAgent === visit.userAgent &&
        atMs <= visit.atMs &&
        visit.atMs - atMs <= headBefore.withinMs,
    );
    return { linksAtOnce: visit.type === 'clicked' ? links.size : 0, askedHead };
  }
}
