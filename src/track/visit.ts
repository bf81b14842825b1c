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
