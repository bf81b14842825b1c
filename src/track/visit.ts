/** An open or a click as it was asked for, before anybody has judged who asked. */

export interface Visit {
  readonly type: 'opened' | 'clicked';
  readonly messageId: number;
  readonly atMs: number;
  /** A click's target, '' for an open. */
  readonly url: string;
  readonly userAgent: string;
  readonly address: string;
  /** Only the headers were asked for. */
  readonly isHead: boolean;
  /** The request says of itself that nobody has asked for it yet. */
  readonly isPrefetch: boolean;
}

/** Of what was read from somewhere: one that is none would be refused by the store, and hold up all that waits behind it. */
export function isVisit(value: unknown): value is Visit {
  if (typeof value !== 'object' || value === null) return false;
  const { type, messageId, atMs, url, userAgent, address, isHead, isPrefetch } = value as Record<
    keyof Visit,
    unknown
  >;
  return (
    (type === 'opened' || type === 'clicked') &&
    [messageId, atMs].every((number) => Number.isSafeInteger(number)) &&
    [url, userAgent, address].every((text) => typeof text === 'string') &&
    [isHead, isPrefetch].every((flag) => typeof flag === 'boolean')
  );
}
