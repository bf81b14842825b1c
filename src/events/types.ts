/**
 * The canonical events: what can become of a message. The log holds these, and every dialect is a pure function of
 * them. `docs/message-states.md` says which may follow which.
 */

export const eventTypes = [
  'accepted',
  'skipped',
  'deferred',
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'unsubscribed',
  'complained',
] as const;

export type EventType = (typeof eventTypes)[number];

/** What a server said, or what stands for it when none answered (then `text` begins with `Aftersend:`). */
export interface ServerAnswer {
  /** SMTP reply code, three digits. */
  readonly code: string;
  /** Enhanced status code (RFC 3463) without the surrounding text, '' if the server gave none. */
  readonly enhancedCode: string;
  /** The answer's text, line breaks as one space, without code and enhanced code. */
  readonly text: string;
}

/** Why a message was never tried, or why an address is on the suppression list. */
export type SuppressionReason = 'unsubscribed' | 'complained' | 'bounced' | 'manual';

/**
 * Facts that belong to one type of event. They are stored as one JSON text, which the native dialect passes on as it
 * is; what other dialects need stands beside it in columns of its own (`LoggedEvent`).
 */
export interface EventDetails {
  accepted: { door: Door };
  skipped: { reason: SuppressionReason; stream: string };
  deferred: {
    attempt: number;
    host: string;
    address: string;
    stage: AttemptStage;
    category: string;
    /** True if the recipient's server answered, false for DNS, connection and TLS failures. */
    refused: boolean;
    nextAttemptAtMs: number;
  };
  delivered: { attempt: number; host: string; address: string };
  bounced: {
    attempt: number;
    host: string;
    address: string;
    stage: AttemptStage;
    category: string;
    recipientAtFault: boolean;
    /** True when a bounce message told of it after the server had taken the message. */
    late: boolean;
  };
  opened: ClientFacts;
  clicked: ClientFacts;
  unsubscribed: { stream: string; how: 'one-click' | 'page' | 'mail' | 'api' };
  complained: { feedbackType: string; source: 'mail' | 'api' };
}

/** `proxy`: a mailbox provider that fetches for its reader. `machine`: nobody has looked. */
export const visitorKinds = ['human', 'proxy', 'machine'] as const;
export type VisitorKind = (typeof visitorKinds)[number];

/** Who is taken to have opened or clicked, and why. */
export interface Visitor {
  readonly kind: VisitorKind;
  /** 0 to 1. */
  readonly confidence: number;
  /** In words. */
  readonly reason: string;
}

export interface ClientFacts {
  userAgent: string;
  address: string;
  visitor: VisitorKind;
  confidence: number;
  reason: string;
  /** True for the message's first event of this type that no machine made. Filled in as the event is appended. */
  first?: boolean;
  /** How many visits the event stands for, when it is more than this one. */
  count?: number;
}

/** Where an attempt ended. */
export type AttemptStage =
  | 'dns'
  | 'connect'
  | 'tls'
  | 'greeting'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'queue'
  | 'report';

/** By which door the message came in. */
export type Door = 'api' | 'msndr' | 'sendpulse' | 'smtp';

/** An event as it stands in the log: the facts of its message are copied into it, so that the log outlives messages. */
export interface LoggedEvent {
  readonly id: number;
  readonly accountId: number;
  readonly messageId: number;
  /** 1, 2, 3 … within its message, in the order of appending. */
  readonly number: number;
  readonly type: EventType;
  /** When it happened (ms since the epoch), not when it was told. */
  readonly timeMs: number;
  readonly recipient: string;
  /** The address in From. */
  readonly sender: string;
  readonly subject: string;
  /** The server's answer for delivered, deferred and bounced; '' in all three otherwise. */
  readonly code: string;
  readonly enhancedCode: string;
  readonly response: string;
  /** A click's target, '' otherwise. */
  readonly url: string;
  /** A `deferred` that is the first refusal by the recipient's server. */
  readonly firstRefusal: boolean;
  /** Of an open or click who is taken to have made it, '' otherwise. */
  readonly visitor: VisitorKind | '';
  /** JSON texts, passed on as they are. */
  readonly tagsJson: string;
  readonly metadataJson: string;
  readonly detailJson: string;
}

/** RFC 5965 section 7.3 and its registry; the others say that mail is no spam or that it was not authenticated. */
export const complaintTypes = ['abuse', 'fraud', 'virus', 'opt-out', 'opt-out-list', 'other'] as const;

export const isComplaint = (feedbackType: string): boolean =>
  complaintTypes.some((type) => type === feedbackType);
