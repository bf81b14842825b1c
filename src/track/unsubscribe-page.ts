/**
 * The page behind an unsubscribe link, in the reader's language: plain HTML that works without scripts, with a keyboard
 * and with a screen reader. A pure function; everything that came from outside is escaped.
 */
import { createHash } from 'node:crypto';

export const pageLanguages = ['en', 'ru'] as const;
export type PageLanguage = (typeof pageLanguages)[number];

/** What the page tells: asks, or says what was just done. */
export type PageState = 'ask' | 'left-stream' | 'left-all' | 'back';

/** What the buttons of the page post as `choice`. */
export const pageChoices = ['stream', 'all', 'back'] as const;
export type PageChoice = (typeof pageChoices)[number];

interface Texts {
  readonly titles: Readonly<Record<PageState, string>>;
  readonly leads: Readonly<Record<PageState, (recipient: string) => string>>;
  readonly legend: string;
  readonly thisKind: (stream: string) => string;
  readonly everything: string;
  readonly leave: string;
  readonly back: string;
}

const texts: Readonly<Record<PageLanguage, Texts>> = {
  en: {
    titles: {
      ask: 'Unsubscribe',
      'left-stream': 'You are unsubscribed',
      'left-all': 'You are unsubscribed',
      back: 'You are subscribed again',
    },
    leads: {
      ask: (recipient) => `Stop sending mail to ${recipient}?`,
      'left-stream': (recipient) => `This kind of mail will no longer be sent to ${recipient}.`,
      'left-all': (recipient) => `This sender will no longer write to ${recipient}.`,
      back: (recipient) => `Mail will be sent to ${recipient} as before.`,
    },
    legend: 'What should stop?',
    thisKind: (stream) => `This kind of mail${stream === '' ? '' : ` (${stream})`}`,
    everything: 'All mail from this sender',
    leave: 'Unsubscribe',
    back: 'Undo: subscribe me again',
  },
  ru: {
    titles: {
      ask: 'Отписаться',
      'left-stream': 'Вы отписаны',
      'left-all': 'Вы отписаны',
      back: 'Вы снова подписаны',
    },
    leads: {
      ask: (recipient) => `Больше не отправлять письма на ${recipient}?`,
      'left-stream': (recipient) => `Такие письма больше не будут приходить на ${recipient}.`,
      'left-all': (recipient) => `Этот отправитель больше не будет писать на ${recipient}.`,
      back: (recipient) => `Письма будут приходить на ${recipient}, как прежде.`,
    },
    legend: 'Что прекратить?',
    thisKind: (stream) => `Такие письма${stream === '' ? '' : ` (${stream})`}`,
    everything: 'Все письма этого отправителя',
    leave: 'Отписаться',
    back: 'Отменить: подписать меня снова',
  },
};

const style = `:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;color:CanvasText;background:Canvas}
main{max-width:34rem;padding:1.5rem;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .75rem}
fieldset{border:1px solid;border-radius:.5rem;margin:1.25rem 0;padding:.75rem 1rem}
label{display:flex;align-items:baseline;gap:.5rem;padding:.35rem 0}
button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.5rem;background:#0b5cad;color:#fff;cursor:pointer}
button:hover{background:#084a8c}
:focus-visible{outline:3px solid #e08a00;outline-offset:2px}`;

const styleHash = createHash('sha256').update(style).digest('base64');

/** No script, no picture, no frame; forms go back to this service alone. */
export const pageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function unsubscribePage(page: {
  readonly state: PageState;
  readonly language: PageLanguage;
  readonly recipient: string;
  readonly stream: string;
}): string {
  const { state, language } = page;
  const text = texts[language];
  const title = escapeHtml(text.titles[state]);
  const lead = escapeHtml(text.leads[state](page.recipient));
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p role="status">${lead}</p>
${form(state, text, page.stream)}</main>
</body>
</html>
`;
}

function form(state: PageState, text: Texts, stream: string): string {
  switch (state) {
    case 'ask':
      return `<form method="post">
<fieldset>
<legend>${text.legend}</legend>
<label><input type="radio" name="choice" value="stream" checked><span>${escapeHtml(text.thisKind(shownStream(stream)))}</span></label>
<label><input type="radio" name="choice" value="all"><span>${text.everything}</span></label>
</fieldset>
<button type="submit">${text.leave}</button>
</form>
`;
    case 'left-stream':
    case 'left-all':
      return `<form method="post">
<button type="submit" name="choice" value="back">${text.back}</button>
</form>
`;
    case 'back':
      return '';
  }
}

/** The stream of mail that names none says nothing to its reader. */
const unnamedStream = 'default';
const shownStream = (stream: string) => (stream === unnamedStream ? '' : stream);

/** The first language of Accept-Language (RFC 9110 section 12.5.4) that the page speaks; English otherwise. */
export function pageLanguage(acceptLanguage: string | undefined): PageLanguage {
  const wanted = (acceptLanguage ?? '')
    .slice(0, 256)
    .split(',')
    .map((range, index) => {
      const [, name = '', weight = '1'] = /^\s*([a-z]+)[^;]*(?:;\s*q=([\d.]+))?/i.exec(range) ?? [];
      return { name: name.toLowerCase(), weight: Number(weight), index };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index);
  for (const { name } of wanted) {
    const language = pageLanguages.find((known) => known === name);
    if (language !== undefined) return language;
  }
  return 'en';
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
