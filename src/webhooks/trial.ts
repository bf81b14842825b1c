/**
 * Trying an endpoint out: a sample of each event type that it wants, written, signed and sent as real ones are, and what
 * the receiver answered. Nothing of it is in the log, and the header `aftersend-test` tells the receiver so.
 */
import type { EventType, LoggedEvent } from '../events/types.ts';
import type { Clock, Random } from '../platform/clock.ts';
import type { Webhook } from '../store/contract/webhooks.ts';
import { type Batch, Recipe } from './collect.ts';
import { type Post, requestHeaders } from './post.ts';
import { signingKey } from './sign.ts';

/** What one request of a trial came to. */
export interface TrialResult {
  readonly types: readonly EventType[];
  /** As it was sent. */
  readonly body: string;
  /** 0 if no answer came. */
  readonly status: number;
  /** The answer's body, or why there was none. */
  readonly answer: string;
  readonly durationMs: number;
}

/** How much of an answer the owner is shown. */
const shownAnswerLength = 4_000;

interface TrialDependencies {
  readonly post: Post;
  readonly clock: Clock;
  readonly random: Random;
}

/** One request after the other; ends with the first that is not answered, for the others would wait as long. */
export async function tryOut(
  webhook: Webhook,
  secret: string,
  deps: TrialDependencies,
  signal: AbortSignal,
): Promise<readonly TrialResult[]> {
  const { post, clock, random } = deps;
  const url = new URL(webhook.url);
  const results: TrialResult[] = [];
  for (const { types, batch } of sampleBatches(webhook, clock.now())) {
    const id = `test-${random.bytes(12).toString('hex')}`;
    const atMs = clock.now();
    const headers = [...requestHeaders({ ...batch, id }, signingKey(secret), atMs), 'aftersend-test', 'true'];
    const result = await post({ url, headers, body: batch.body }, signal);
    const answered = result.kind === 'answered';
    results.push({
      types,
      body: batch.body.toString('utf8'),
      status: answered ? result.status : 0,
      answer: answered
        ? result.body.toString('utf8').slice(0, shownAnswerLength)
        : result.kind === 'unanswered'
          ? result.reason
          : 'given up',
      durationMs: clock.now() - atMs,
    });
    if (!answered) break;
  }
  return results;
}

/** Samples of the wanted types in the batches that the dialect makes of them. */
function sampleBatches(webhook: Webhook, atMs: number): { types: readonly EventType[]; batch: Batch }[] {
  const recipe = new Recipe(webhook);
  const samples = webhook.types.flatMap((type) => {
    const text = recipe.write(sampleEvent(webhook.accountId, type, atMs));
    return text === undefined ? [] : [{ type, text }];
  });
  const batchOf = (part: typeof samples) => ({
    types: part.map(({ type }) => type),
    batch: recipe.batch(
      0,
      0,
      part.map(({ text }) => text),
    ),
  });
  return recipe.maxEvents === 1 ? samples.map((sample) => batchOf([sample])) : [batchOf(samples)];
}

/** An event as it might be, of a message that does not exist. */
export function sampleEvent(accountId: number, type: EventType, timeMs: number): LoggedEvent {
  const answers: Partial<Record<EventType, readonly [string, string, string]>> = {
    delivered: ['250', '2.0.0', 'Ok: queued as 4Fk2Lp0xyz'],
    deferred: ['451', '4.2.0', 'Try again later'],
    bounced: ['550', '5.1.1', 'No such user here'],
  };
  const [code, enhancedCode, response] = answers[type] ?? ['', '', ''];
  return {
    id: 0,
    accountId,
    messageId: 0,
    number: 1,
    type,
    timeMs,
    recipient: 'recipient@example.com',
    sender: 'sender@example.com',
    subject: 'A sample of Aftersend',
    code,
    enhancedCode,
    response,
    url: type === 'clicked' ? 'https://example.com/' : '',
    firstRefusal: type === 'deferred',
    visitor: type === 'opened' || type === 'clicked' ? 'human' : '',
    tagsJson: '[]',
    metadataJson: '{}',
    detailJson: '{}',
  };
}
