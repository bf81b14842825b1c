/** An event in words, for somebody who asks what happened: who did what, why, and what comes next. Pure. */
import type { Language } from './language.ts';
import { answerText, type MessageEvent } from './message.ts';
import type { IconName } from './parts/icons.tsx';
import type { Tone } from './parts/page.tsx';
import { relativeTime } from './times.ts';
import type { Words } from './words/en.ts';

export interface Told {
  readonly title: string;
  readonly more: readonly string[];
  readonly tone: Tone;
  readonly icon: IconName;
}

/** Whose servers these are, by the end of their names. */
const providers: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)(google|googlemail|gmail)\.com$/, 'Gmail'],
  [/(^|\.)yandex\.(net|ru|com)$/, 'Яндекс'],
  [/(^|\.)mail\.ru$/, 'Mail.ru'],
  [/(^|\.)(outlook|hotmail)\.com$/, 'Outlook'],
  [/(^|\.)yahoodns\.net$/, 'Yahoo'],
  [/(^|\.)(icloud|apple)\.com$/, 'iCloud'],
  [/(^|\.)rambler\.ru$/, 'Рамблер'],
];

/** Gmail for its servers' names; the name itself where it is nobody's that is known. */
export function providerOf(host: string, words: Words): string {
  const found = providers.find(([pattern]) => pattern.test(host.toLowerCase()))?.[1];
  if (found !== undefined) return found;
  if (host === '127.0.0.1' || host === '::1') return words.story.simulator;
  return host === '' ? words.story.server : host;
}

export function tell(event: MessageEvent, words: Words, language: Language, nowMs: number): Told {
  const { story } = words;
  const detail = event.detail as Readonly<Record<string, string | undefined>>;
  const who = providerOf(detail['host'] ?? '', words);
  const why = story.why[detail['category'] ?? ''] ?? story.why['unknown'] ?? '';
  const said = event.answer === null ? [] : [answerText(event.answer)];
  switch (event.type) {
    case 'accepted': {
      const door = words.messages.doors[detail['door'] ?? ''] ?? '';
      return { title: story.accepted(door), more: [], tone: 'calm', icon: 'inbox' };
    }
    case 'skipped':
      return {
        title: story.skippedBecause[detail['reason'] ?? ''] ?? event.text,
        more: [],
        tone: 'warn',
        icon: 'suppressions',
      };
    case 'deferred': {
      const refused = event.detail['refused'] === true;
      const next = detail['next_attempt_at'];
      return {
        title: refused ? story.deferred(who, why) : story.unreached(why),
        more: [...said, ...(next === undefined ? [] : [story.next(relativeTime(next, language, nowMs))])],
        tone: 'warn',
        icon: 'clock',
      };
    }
    case 'delivered':
      return { title: story.delivered(who), more: said, tone: 'good', icon: 'check' };
    case 'bounced': {
      const unreached = (detail['host'] ?? '') === '';
      const plain = unreached ? story.bouncedUnreached(why) : story.bounced(who, why);
      const title = event.detail['late'] === true ? story.bouncedLate(who, why) : plain;
      return { title, more: said, tone: 'bad', icon: 'cross' };
    }
    case 'opened': {
      // What a machine did before the first reader says nothing of readers.
      const isAgain = event.detail['first'] === false && detail['visitor'] !== 'machine';
      const title = isAgain ? story.openedAgain : story.opened;
      const more = [...times(event.detail), ...byWhom(detail['visitor'], words)];
      return { title, more, tone: 'note', icon: 'eye' };
    }
    case 'clicked':
      return {
        title: story.clicked,
        more: [event.url ?? '', ...times(event.detail), ...byWhom(detail['visitor'], words)],
        tone: 'note',
        icon: 'link',
      };
    case 'unsubscribed': {
      const how = story.how[detail['how'] ?? ''] ?? '';
      return { title: `${story.unsubscribed} ${how}`.trim(), more: [], tone: 'warn', icon: 'door' };
    }
    case 'complained':
      return { title: story.complained, more: [], tone: 'bad', icon: 'flag' };
    default:
      // A type that is newer than these words says itself what it is.
      return { title: event.text, more: [], tone: 'calm', icon: 'inbox' };
  }
}

/** Of an event that stands for many visits. */
const times = ({ count }: Readonly<Record<string, unknown>>): readonly string[] =>
  typeof count === 'number' ? [`× ${count}`] : [];

function byWhom(visitor: string | undefined, { story }: Words): readonly string[] {
  if (visitor === 'proxy') return [story.byProxy];
  if (visitor === 'machine') return [story.byMachine];
  return [];
}
