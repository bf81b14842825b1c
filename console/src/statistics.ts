/** Counts as the API tells of them, and the way from a number to its messages. */

export const drawn = ['accepted', 'delivered', 'bounced', 'opened', 'clicked', 'complained'] as const;
export type Drawn = (typeof drawn)[number];

interface Visits {
  readonly unique: number;
  readonly machine: number;
}

export interface Counts {
  readonly accepted: number;
  readonly delivered: number;
  readonly bounced: { readonly total: number };
  readonly opened: Visits;
  readonly clicked: Visits;
  readonly complained: number;
}

export interface Sum extends Counts {
  readonly rates: { readonly delivery: number | null; readonly open: number | null };
}

export interface Series {
  readonly interval: 'hour' | 'day';
  readonly from: string;
  readonly to: string;
  readonly uncounted_events: number;
  readonly total: Sum;
  readonly intervals: readonly (Counts & { readonly start: string })[];
}

/** Opens and clicks are messages, each at its first, without machines. */
export function countOf(counts: Counts, what: Drawn): number {
  switch (what) {
    case 'bounced':
      return counts.bounced.total;
    case 'opened':
    case 'clicked':
      return counts[what].unique;
    case 'accepted':
    case 'delivered':
    case 'complained':
      return counts[what];
  }
}

export interface Place {
  readonly from: string;
  readonly to: string;
  readonly domain?: string;
  readonly provider?: string;
}

/** The messages that a number counts. */
export function messagesOf(what: Drawn, place: Place): string {
  const visits = what === 'opened' || what === 'clicked' ? { visitor: 'human,proxy', first: 'true' } : {};
  return `/messages?${new URLSearchParams({ event: what, ...place, ...visits })}`;
}
