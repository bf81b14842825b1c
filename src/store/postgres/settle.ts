/** Settling attempts: a batch of them is one transaction of a fixed number of statements, fenced by the leases. */
import type { ServerAnswer } from '../../events/types.ts';
import type { AttemptRecord, Settlement } from '../contract/queue.ts';
import { everyStream } from '../contract/suppressions.ts';
import { suppressBecause } from '../sql/suppressions.ts';
import { arrayOf, insertRowsSql, type Row, rowsJson, type Transaction } from './transaction.ts';

type Told = Exclude<Settlement, { outcome: 'released' }>;

interface MessageRow {
  id: number;
  submission_id: number;
  account_id: number;
  recipient: string;
  state: string;
  refused: number;
  last_number: number;
  finished_at_ms: number | null;
}

interface SubmissionRow {
  id: number;
  sender: string;
  subject: string;
  tags: string;
  metadata: string;
}

type Message = MessageRow & { readonly submission: SubmissionRow };

/**
 * What settling is about, locked in the order in which all others lock messages. Their submissions are asked for by their
 * own ids, as everything here is: so that a statement opens the partitions that have them and no others.
 */
const lockMessages = `
  SELECT id, submission_id, account_id, recipient, state, refused, last_number, finished_at_ms
  FROM messages WHERE id = ANY (?::bigint[]) ORDER BY id FOR NO KEY UPDATE`;
const readSubmissions =
  'SELECT id, sender, subject, tags, metadata FROM submissions WHERE id = ANY (?::bigint[])';

/** Takes out of the queue or puts back what the lease still holds; says what that was. */
const moveQueue = `
  WITH settled AS (
    SELECT * FROM json_to_recordset(?) AS s(message_id bigint, lease bigint, due_at_ms bigint, attempts bigint)
  ), gone AS (
    DELETE FROM queue USING settled s
    WHERE queue.message_id = s.message_id AND queue.lease = s.lease AND s.due_at_ms IS NULL
    RETURNING queue.message_id
  ), back AS (
    UPDATE queue SET due_at_ms = s.due_at_ms, lease = 0, holder = '', attempts_made = attempts_made + s.attempts
    FROM settled s
    WHERE queue.message_id = s.message_id AND queue.lease = s.lease AND s.due_at_ms IS NOT NULL
    RETURNING queue.message_id
  )
  SELECT message_id FROM gone UNION ALL SELECT message_id FROM back`;

const updateMessages = `
  UPDATE messages m SET state = r.state, refused = r.refused, finished_at_ms = r.finished_at_ms,
    last_number = r.last_number
  FROM json_populate_recordset(NULL::messages, ?) r WHERE m.id = r.id AND m.id = ANY (?::bigint[])`;

function queueMove(settlement: Settlement): Row {
  const { messageId, lease } = settlement;
  const back = (due_at_ms: number | null, attempts: number) => ({
    message_id: messageId,
    lease,
    due_at_ms,
    attempts,
  });
  if (settlement.outcome === 'released') return back(settlement.dueAtMs, 0);
  return settlement.outcome === 'deferred' ? back(settlement.detail.nextAttemptAtMs, 1) : back(null, 0);
}

function attemptRow(messageId: number, attempt: AttemptRecord): Row {
  return {
    message_id: messageId,
    number: attempt.number,
    started_at_ms: attempt.startedAtMs,
    duration_ms: attempt.durationMs,
    outcome: attempt.outcome,
    host: attempt.host,
    address: attempt.address,
    source_address: attempt.sourceAddress,
    tls: attempt.tls,
    code: attempt.answer.code,
    enhanced_code: attempt.answer.enhancedCode,
    response: attempt.answer.text,
    category: attempt.category,
    dialogue: attempt.dialogue,
  };
}

const noAnswer: ServerAnswer = { code: '', enhancedCode: '', text: '' };

const isFirstRefusal = (settlement: Told, message: Message): boolean =>
  settlement.outcome === 'deferred' && settlement.detail.refused && message.refused === 0;

function messageRow(settlement: Told, message: Message): Row {
  const finished = settlement.outcome !== 'deferred';
  return {
    id: message.id,
    state: finished ? settlement.outcome : message.state,
    refused: isFirstRefusal(settlement, message) ? 1 : message.refused,
    finished_at_ms: finished ? settlement.atMs : message.finished_at_ms,
    last_number: message.last_number + 1,
  };
}

function eventRow(settlement: Told, message: Message): Row {
  const answer = 'answer' in settlement ? settlement.answer : noAnswer;
  return {
    account_id: message.account_id,
    message_id: message.id,
    number: message.last_number + 1,
    type: settlement.outcome,
    time_ms: settlement.atMs,
    recipient: message.recipient,
    sender: message.submission.sender,
    subject: message.submission.subject,
    code: answer.code,
    enhanced_code: answer.enhancedCode,
    response: answer.text,
    url: '',
    first_refusal: isFirstRefusal(settlement, message) ? 1 : 0,
    visitor: '',
    tags: message.submission.tags,
    metadata: message.submission.metadata,
    detail: JSON.stringify(settlement.detail),
  };
}

async function tell(
  transaction: Transaction,
  told: readonly { readonly settlement: Told; readonly message: Message }[],
): Promise<void> {
  const attempts = told.flatMap(({ settlement, message }) =>
    'attempt' in settlement && settlement.attempt !== undefined
      ? [attemptRow(message.id, settlement.attempt)]
      : [],
  );
  if (attempts.length > 0) {
    const sql = `${insertRowsSql('attempts', attempts)} ON CONFLICT (message_id, number) DO NOTHING`;
    await transaction.run(sql, rowsJson(attempts));
  }
  await transaction.run(
    updateMessages,
    rowsJson(told.map(({ settlement, message }) => messageRow(settlement, message))),
    arrayOf(told.map(({ message }) => message.id)),
  );
  const accountIds = told.map(({ message }) => message.account_id);
  await transaction.lockLogs(accountIds);
  const eventIds = await transaction.appendEvents(
    told.map(({ settlement, message }) => eventRow(settlement, message)),
  );
  for (const accountId of accountIds) transaction.noteGrownLog(accountId);
  for (const [index, { settlement, message }] of told.entries()) {
    if (settlement.outcome !== 'bounced' || !settlement.detail.recipientAtFault) continue;
    await suppressBecause(transaction, {
      accountId: message.account_id,
      recipient: message.recipient,
      stream: everyStream,
      reason: 'bounced',
      eventId: eventIds[index] ?? 0,
      atMs: settlement.atMs,
    });
  }
}

/** @returns those that are there, by their ids */
async function lockAll(transaction: Transaction, ids: readonly number[]): Promise<Map<number, Message>> {
  const messages = await transaction.all<MessageRow>(lockMessages, arrayOf(ids));
  const submissionIds = new Set(messages.map((message) => message.submission_id));
  const submissions = await transaction.all<SubmissionRow>(readSubmissions, arrayOf(submissionIds));
  const byId = new Map(submissions.map((submission) => [submission.id, submission]));
  return new Map(
    messages.flatMap((message) => {
      const submission = byId.get(message.submission_id);
      return submission === undefined ? [] : [[message.id, { ...message, submission }]];
    }),
  );
}

/** One round of settlements, each of another message. @returns the ids of those whose lease still held */
async function settleRound(
  transaction: Transaction,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const ids = settlements.map(({ messageId }) => messageId);
  const byId = await lockAll(transaction, ids);
  const moved = await transaction.all<{ message_id: number }>(
    moveQueue,
    rowsJson(settlements.map(queueMove)),
  );
  const held = new Set(moved.map(({ message_id }) => message_id));
  const told = settlements.flatMap((settlement) => {
    const message = byId.get(settlement.messageId);
    const isTold = held.has(settlement.messageId) && settlement.outcome !== 'released';
    return isTold && message !== undefined ? [{ settlement, message }] : [];
  });
  if (told.length > 0) await tell(transaction, told);
  return held;
}

/** @returns for each whether its lease still held; nothing was stored of the others */
export async function settleAll(
  transaction: Transaction,
  settlements: readonly Settlement[],
): Promise<readonly boolean[]> {
  // A batch may have two of one message when its lease has changed hands inside this process: one may hold at most.
  const rounds: Settlement[][] = [];
  const seen = new Map<number, number>();
  for (const settlement of settlements) {
    const round = seen.get(settlement.messageId) ?? 0;
    seen.set(settlement.messageId, round + 1);
    (rounds[round] ??= []).push(settlement);
  }
  const heldLeases = new Set<Settlement>();
  for (const round of rounds) {
    const held = await settleRound(transaction, round);
    for (const settlement of round) if (held.has(settlement.messageId)) heldLeases.add(settlement);
  }
  return settlements.map((settlement) => heldLeases.has(settlement));
}
