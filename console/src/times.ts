/** Times as people say them, in their language and time zone. */
import type { Language } from './language.ts';

const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

/** "4 minutes ago", "in 2 hours"; the date beyond a week. */
export function relativeTime(time: string, language: Language, nowMs: number): string {
  const seconds = Math.round((Date.parse(time) - nowMs) / 1000);
  if (Math.abs(seconds) > 7 * 86_400) return shortTime(time, language);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? (['second', 1] as const);
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.round(seconds / size), unit);
}

export function shortTime(time: string, language: Language): string {
  return new Date(time).toLocaleString(language, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
}

export function exactTime(time: string, language: Language): string {
  return new Date(time).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** When a day of a date field begins, where the reader is. @param later that many days after it */
export function dayBegins(day: string, later = 0): string {
  const begins = new Date(`${day}T00:00`);
  begins.setDate(begins.getDate() + later);
  return begins.toISOString();
}

/** "320 ms", "1.4 s". */
export function duration(ms: number, language: Language): string {
  const [value, unit] = ms < 1000 ? [Math.round(ms), 'millisecond'] : [Math.round(ms / 100) / 10, 'second'];
  return new Intl.NumberFormat(language, { style: 'unit', unit }).format(value);
}
