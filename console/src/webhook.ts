/** Webhooks as the API tells of them, for the pages that set them and look at them. */

/** When a request leaves. */
export interface Batch {
  readonly count: number;
  readonly age_seconds: number;
  readonly bytes: number;
}

export interface Webhook {
  readonly id: number;
  readonly url: string;
  readonly dialect: string;
  readonly types: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly batch: Batch;
  readonly state: string;
  readonly failing_since: string | null;
  readonly next_try_at: string | null;
  readonly last_accepted_at: string | null;
  readonly requests: { readonly accepted: number; readonly failed: number };
  readonly created_at: string;
}

export interface WebhookDetail extends Webhook {
  readonly signing_keys: readonly {
    readonly kind: string;
    readonly public_key: string | null;
    /** Null for the ones that sign from now on. */
    readonly expires_at: string | null;
  }[];
  readonly paused_by: string | null;
  readonly waiting_events: number;
  readonly lag_seconds: number;
  readonly success_rate: number | null;
  readonly latency_ms: { readonly p50: number; readonly p99: number } | null;
  readonly set_aside_events: number;
  readonly notices: readonly { readonly at: string; readonly text: string }[];
  readonly last_requests: readonly {
    readonly at: string;
    readonly duration_ms: number;
    readonly batch_id: string;
    readonly replay: number | null;
    readonly events: number;
    readonly accepted: boolean;
    readonly status: number;
  }[];
}

export interface Dialect {
  readonly name: string;
  readonly description: string;
  readonly framing: 'single' | 'array';
  /** Unless a webhook says otherwise. */
  readonly batch: Batch;
  /** Canonical type → the dialect's own name for it. */
  readonly events: Readonly<Record<string, string>>;
  /** Its own settings, by JSON schemas. */
  readonly options: Readonly<
    Record<string, { readonly type?: string; readonly default?: unknown; readonly description?: string }>
  >;
}

/** The six that every service tells of first, in the order of their documentation. */
const order = [
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'complained',
  'unsubscribed',
  'accepted',
  'deferred',
  'skipped',
];

/** The types a dialect can tell of, in the order in which people look for them. */
export const typesOf = (dialect: Dialect): readonly string[] => {
  const known = Object.keys(dialect.events);
  return [...order.filter((type) => known.includes(type)), ...known.filter((type) => !order.includes(type))];
};
