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
  readonly visits: Visit[];
  /** Which of them the next one takes the place of, once there are as many as may be. */
  next: number;
}

export class Habits {
  readonly #messages = new Map<number, Remembered>();

  /** Only clicks and requests for headers alone say anything; pictures are fetched one by one. */
  note(visit: Visit): void {
    if (visit.type === 'opened' && !visit.isHead) return;
    const { messageId } = visit;
    const remembered = this.#messages.get(messageId) ?? { visits: [], next: 0 };
    remembered.visits[remembered.next] = visit;
    remembered.next = (remembered.next + 1) % mostVisits;
    // Moves it to the end: the map is in the order of the last visits.
    this.#messages.delete(messageId);
    this.#messages.set(messageId, remembered);
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
    const links: string[] = [];
    let askedHead = false;
    for (const { atMs, url, userAgent, isHead } of this.#messages.get(visit.messageId)?.visits ?? []) {
      const sinceMs = visit.atMs - atMs;
      const isNewLink = url !== '' && Math.abs(sinceMs) <= manyLinks.withinMs && !links.includes(url);
      if (isNewLink && links.length < manyLinks.links) links.push(url);
      askedHead ||= isHead && userAgent === visit.userAgent && sinceMs >= 0 && sinceMs <= headBefore.withinMs;
    }
    return { linksAtOnce: visit.type === 'clicked' ? links.length : 0, askedHead };
  }
}
