/**
 * Reports from outside that changed nothing: those without a token of ours, whose message nobody can know, and those that
 * end nothing (delayed, relayed, expanded; feedback that is no complaint). They are kept for people to look at.
 */

export interface NewReceivedReport {
  readonly atMs: number;
  /** By a token of ours, undefined without one. */
  readonly messageId: number | undefined;
  /** Whose mail the report says that it quotes: for showing it to somebody, never for acting. Not needed with `messageId`. */
  readonly claimedAccountId: number | undefined;
  readonly kind: 'bounce' | 'complaint' | 'other';
  /** Of a bounce message (RFC 3464 section 2.3.3), '' otherwise. */
  readonly action: string;
  /** As the report names it, '' if it does not. */
  readonly recipient: string;
  /** Of a complaint, '' otherwise. */
  readonly feedbackType: string;
  readonly code: string;
  readonly enhancedCode: string;
  readonly text: string;
  readonly category: string;
  /** From and Subject of the report. */
  readonly reporter: string;
  readonly subject: string;
}

export interface ReceivedReport extends Omit<NewReceivedReport, 'claimedAccountId'> {
  readonly id: number;
  /** Undefined if nobody knows. */
  readonly accountId: number | undefined;
}

/** Anybody can send reports without a token: beyond this many of them the oldest go. */
export const mostReportsWithoutToken = 10_000;

export interface ReportStore {
  /** `unknown`: there is no such message (any more); nothing was stored. */
  add(report: NewReceivedReport): Promise<'added' | 'unknown'>;
  /** Newest first, after the keyset cursor `beforeId`. */
  list(input: {
    /** Undefined for those of all accounts. */
    accountId: number | undefined;
    /** Those that nobody knows the account of, too. */
    withUnclaimed: boolean;
    messageId?: number | undefined;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly ReceivedReport[]>;
}
