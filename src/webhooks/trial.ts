/**
 * Trying an endpoint out: a sample of each event type that it wants, written, signed and sent as real ones are, and what
 * the receiver answered. Nothing of it is in the log, and the header `aftersend-test` tells the receiver so.
 */
import type { EventDetails, EventType, LoggedEvent } from '../events/types.ts';
import type { Random } from '../platform/clock.ts';
import type { Webhook } from '../store/contract/webhooks.ts';
import { Recipe } from './collect.ts';
import { type RequestDependencies, Requests } from './requests.ts';

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

/** One request after the other; ends with the first that is not answered, for the others would wait as long. */
export async function tryOut(
  webhook: Webhook,
  deps: RequestDependencies & { readonly random: Random },
  signal: AbortSignal,
): Promise<readonly TrialResult[]> {
  const { clock, random } = deps;
  const requests = new Requests(webhook, deps);
  const results: TrialResult[] = [];
  try {
    for (const { types, batch, contentType } of sampleBatches(webhook, clock.now())) {
      const id = `test-${random.bytes(12).toString('hex')}`;
      const atMs = clock.now();
      const extra = ['aftersend-test', 'true'];
      const sent = await requests.send({ id, contentType, body: batch.body, extra }, signal);
      const { result } = sent;
      results.push({
        types,
        body: batch.body.toString('utf8'),
        status: result.kind === 'answered' ? result.status : 0,
        answer: sent.answer(shownAnswerLength),
        durationMs: clock.now() - atMs,
      });
      if (result.kind !== 'answered') break;
    }
  } finally {
    await requests.close();
  }
  return results;
}

/** Samples of the wanted types in the batches that the dialect makes of them. */
function sampleBatches(webhook: Webhook, atMs: number) {
  const recipe = new Recipe(webhook);
  const samples = webhook.types.flatMap((type, index) => {
    const event = sampleEvent(webhook.accountId, type, atMs);
    const text = recipe.write(event, index + 1);
    return text === undefined ? [] : [{ type, text, event }];
  });
  const batchOf = (part: typeof samples, firstNumber: number) => ({
    types: part.map(({ type }) => type),
    contentType: recipe.contentType,
    batch: recipe.batch(
      { firstId: 0, lastId: 0, events: part.length, firstNumber },
      part.map(({ event }) => event),
      part.map(({ text }) => text),
    ),
  });
  return recipe.maxEvents === 1
    ? samples.map((sample, index) => batchOf([sample], index + 1))
    : [batchOf(samples, 1)];
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
    detailJson: JSON.stringify(sampleDetails[type]),
  };
}

const sampleVisit: EventDetails['opened'] = {
  userAgent: 'Mozilla/5.0 (sample)',
  address: '192.0.2.2',
  visitor: 'human',
  confidence: 0.9,
  reason: 'a sample',
  first: true,
};

const sampleDetails: { readonly [Type in EventType]: EventDetails[Type] } = {
  accepted: { door: 'api' },
  skipped: { reason: 'unsubscribed', stream: 'default' },
  deferred: {
    attempt: 1,
    host: 'mx.example.com',
    address: '192.0.2.1',
    stage: 'rcpt',
    category: 'greylisted',
    refused: true,
    nextAttemptAtMs: 0,
  },
  delivered: { attempt: 1, host: 'mx.example.com', address: '192.0.2.1' },
  bounced: {
    attempt: 1,
    host: 'mx.example.com',
    address: '192.0.2.1',
    stage: 'rcpt',
    category: 'no-such-mailbox',
    recipientAtFault: true,
    late: false,
  },
  opened: sampleVisit,
  clicked: sampleVisit,
  unsubscribed: { stream: 'default', how: 'one-click' },
  complained: { feedbackType: 'abuse', source: 'mail' },
};
