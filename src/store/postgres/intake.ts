/** Taking submissions in: a batch of them is one transaction of a fixed number of statements. */
import type { IntakeResult, IntakeStore } from '../contract/intake.ts';
import { bodySizeOf, type PlacedSubmission } from '../sql/bodies.ts';
import type { Reader } from '../sql/statements.ts';
import { type Database, storable } from './database.ts';
import { type Ranges, rangeUnit } from './ranges.ts';
import { insertRowsSql, type Row, rowsJson, type Transaction } from './transaction.ts';

interface KeyRow {
  account_id: number;
  key: string;
  fingerprint: string;
  submission_id: number;
  first_message_id: number;
  message_count: number;
  expires_at_ms: number;
}

/** A submission with the ids it will have: its own is that of its first message. */
interface Numbered extends Beginning {
  readonly submission: PlacedSubmission;
}

const idsFrom = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

function keyName({ accountId, idempotency }: PlacedSubmission): string | undefined {
  return idempotency && `${accountId} ${storable(idempotency.key)}`;
}

/** What an earlier use of the key means for a request. */
function answerOf(row: KeyRow, fingerprint: string): Exclude<IntakeResult, { kind: 'accepted' }> {
  if (row.fingerprint !== fingerprint) return { kind: 'conflict' };
  return {
    kind: 'repeated',
    submissionId: row.submission_id,
    messageIds: idsFrom(row.first_message_id, row.message_count),
  };
}

/** What a batch's messages begin with. */
interface Beginning {
  readonly firstMessageId: number;
  /** No event of theirs will have a smaller id. */
  readonly eventsFromId: number;
}

/** Beyond what is taken at once, all ids of a transaction would not fit into one range. */
const mostMessages = rangeUnit - 1;

/**
 * Takes ids for all messages of a batch, on one side of each multiple of `rangeUnit`. In a transaction of its own that
 * nobody waits for: it comes before the batch in the server's log, so whenever the batch is there after a crash, this is.
 */
async function takeMessageIds(database: Database, count: number): Promise<Beginning> {
  if (count > mostMessages) throw new Error(`a submission may have ${mostMessages} recipients at most`);
  const results = (await database.script(
    `BEGIN; SET LOCAL synchronous_commit = off;
     SELECT last_value AS events_from_id FROM event_ids;
     INSERT INTO sequences (name, last) VALUES ('messages', ${count})
     ON CONFLICT (name) DO UPDATE SET last = excluded.last + CASE
       WHEN (sequences.last + 1) / ${rangeUnit} = (sequences.last + excluded.last) / ${rangeUnit} THEN sequences.last
       ELSE (sequences.last + excluded.last) / ${rangeUnit} * ${rangeUnit} - 1 END
     RETURNING last; COMMIT`,
  )) as { rows: { last?: number; events_from_id?: number }[] }[];
  const rows = results.flatMap((result) => result.rows);
  const last = rows.find((row) => row.last !== undefined)?.last ?? 0;
  const eventsFromId = rows.find((row) => row.events_from_id !== undefined)?.events_from_id ?? 0;
  return { firstMessageId: last - count + 1, eventsFromId };
}

/**
 * Takes the keys that are free, or whose day is over; whoever uses the same one at the same time waits here.
 * @returns what stands under the others, by `keyName`
 */
async function useKeys(
  transaction: Transaction,
  numbered: readonly Numbered[],
): Promise<Map<string, KeyRow>> {
  const rows = numbered.flatMap(({ submission, firstMessageId }): Row[] => {
    const { accountId, idempotency, recipients, atMs } = submission;
    if (idempotency === undefined) return [];
    return [
      {
        account_id: accountId,
        key: idempotency.key,
        fingerprint: idempotency.fingerprint,
        submission_id: firstMessageId,
        first_message_id: firstMessageId,
        message_count: recipients.length,
        used_at_ms: atMs,
        expires_at_ms: idempotency.expiresAtMs,
      },
    ];
  });
  if (rows.length === 0) return new Map();
  const json = rowsJson(rows);
  await transaction.run(
    `${insertRowsSql('idempotency_keys', rows)} ORDER BY account_id, key
     ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,
       submission_id = excluded.submission_id, first_message_id = excluded.first_message_id,
       message_count = excluded.message_count, used_at_ms = excluded.used_at_ms, expires_at_ms = excluded.expires_at_ms
     WHERE idempotency_keys.expires_at_ms <= excluded.used_at_ms`,
    json,
  );
  const standing = await transaction.all<KeyRow>(
    `SELECT k.* FROM json_populate_recordset(NULL::idempotency_keys, ?) used
     JOIN idempotency_keys k ON k.account_id = used.account_id AND k.key = used.key`,
    json,
  );
  return new Map(standing.map((row) => [`${row.account_id} ${row.key}`, row]));
}

function submissionRow({ submission, firstMessageId }: Numbered): Row {
  return {
    id: firstMessageId,
    account_id: submission.accountId,
    door: submission.door,
    envelope_sender: submission.envelopeSender,
    sender: submission.sender,
    sender_name: submission.senderName,
    subject: submission.subject,
    internet_message_id: submission.internetMessageId,
    tags: JSON.stringify(submission.tags),
    metadata: submission.metadataJson,
    stream: submission.stream,
    essential: submission.essential ? 1 : 0,
    track_opens: submission.trackOpens ? 1 : 0,
    track_clicks: submission.trackClicks ? 1 : 0,
    track_text: submission.trackText ? 1 : 0,
    list_unsubscribe: submission.listUnsubscribe ? 1 : 0,
    tracking_host: submission.trackingHost,
    template_id: submission.templateId ?? null,
    template_version: submission.templateVersion ?? null,
    size_bytes: bodySizeOf(submission),
    created_at_ms: submission.atMs,
  };
}

function messageRows({ submission, firstMessageId, eventsFromId }: Numbered): Row[] {
  return submission.recipients.map(({ address, role }, index) => ({
    id: firstMessageId + index,
    submission_id: firstMessageId,
    account_id: submission.accountId,
    recipient: address,
    role,
    state: 'queued',
    last_number: 1,
    events_from_id: eventsFromId,
    refused: 0,
    opened: 0,
    clicked: 0,
    complained: 0,
    created_at_ms: submission.atMs,
    finished_at_ms: null,
  }));
}

function tagRows({ submission, firstMessageId }: Numbered): Row[] {
  return submission.recipients.flatMap((_, index) =>
    submission.tags.map((tag) => ({
      account_id: submission.accountId,
      tag,
      message_id: firstMessageId + index,
    })),
  );
}

function acceptedEvents({ submission, firstMessageId }: Numbered): Row[] {
  return submission.recipients.map(({ address }, index) => ({
    account_id: submission.accountId,
    message_id: firstMessageId + index,
    number: 1,
    type: 'accepted',
    time_ms: submission.atMs,
    recipient: address,
    sender: submission.sender,
    subject: submission.subject,
    code: '',
    enhanced_code: '',
    response: '',
    url: '',
    first_refusal: 0,
    visitor: '',
    tags: JSON.stringify(submission.tags),
    metadata: submission.metadataJson,
    detail: JSON.stringify({ door: submission.door }),
  }));
}

/** Bodies go as they are, outside the JSON, which would double them. */
async function insertBodies(transaction: Transaction, numbered: readonly Numbered[]): Promise<void> {
  const places = numbered.map(() => '(?::bigint, ?::bytea, ?::text)').join(', ');
  const values = numbered.flatMap(({ submission, firstMessageId }) => [
    firstMessageId,
    submission.raw,
    submission.placed?.key ?? '',
  ]);
  await transaction.run(`INSERT INTO bodies (submission_id, raw, object_key) VALUES ${places}`, ...values);
}

async function insertAll(transaction: Transaction, numbered: readonly Numbered[]): Promise<void> {
  const messages = numbered.flatMap(messageRows);
  await transaction.insertRows('submissions', numbered.map(submissionRow));
  await insertBodies(transaction, numbered);
  await transaction.run(
    `WITH added AS (
       ${insertRowsSql('messages', messages)} RETURNING id, submission_id, account_id, created_at_ms)
     INSERT INTO queue (message_id, submission_id, account_id, due_at_ms, attempts_made, lease, holder)
     SELECT id, submission_id, account_id, created_at_ms, 0, 0, '' FROM added`,
    rowsJson(messages),
  );
  const tags = numbered.flatMap(tagRows);
  if (tags.length > 0) {
    await transaction.run(`${insertRowsSql('message_tags', tags)} ON CONFLICT DO NOTHING`, rowsJson(tags));
  }
  const accountIds = numbered.map(({ submission }) => submission.accountId);
  await transaction.lockLogs(accountIds);
  await transaction.appendEvents(numbered.flatMap(acceptedEvents));
  for (const accountId of accountIds) transaction.noteGrownLog(accountId);
}

/** Under one key in one batch, the first decides and the others are told what came of it. */
function answers(numbered: readonly Numbered[], standing: ReadonlyMap<string, KeyRow>): IntakeResult[] {
  return numbered.map(({ submission, firstMessageId }): IntakeResult => {
    const row = standing.get(keyName(submission) ?? '');
    if (row !== undefined && row.first_message_id !== firstMessageId) {
      return answerOf(row, submission.idempotency?.fingerprint ?? '');
    }
    const messageIds = idsFrom(firstMessageId, submission.recipients.length);
    return { kind: 'accepted', submissionId: firstMessageId, messageIds };
  });
}

/** One transaction for a batch. @returns their results, in their order */
export async function acceptAll(
  { database, ranges }: { readonly database: Database; readonly ranges: Ranges },
  submissions: readonly PlacedSubmission[],
  transact: <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>,
): Promise<readonly IntakeResult[]> {
  const counts = submissions.map(({ recipients }) => recipients.length);
  const count = counts.reduce((sum, recipients) => sum + recipients, 0);
  const { firstMessageId: firstId, eventsFromId } = await takeMessageIds(database, count);
  ranges.noteTaken('messages', firstId + count - 1);
  let nextId = firstId;
  const numbered = submissions.map((submission): Numbered => {
    const firstMessageId = nextId;
    nextId += submission.recipients.length;
    return { submission, firstMessageId, eventsFromId };
  });
  const firstOfKey = new Map(
    numbered.toReversed().map((one) => [keyName(one.submission) ?? one.firstMessageId, one]),
  );
  return transact(async (transaction) => {
    const standing = await useKeys(transaction, [...firstOfKey.values()]);
    const results = answers(numbered, standing);
    const fresh = numbered.filter((_, index) => results[index]?.kind === 'accepted');
    if (fresh.length > 0) await insertAll(transaction, fresh);
    return results;
  });
}

export function intakeStore(reader: Reader, accept: IntakeStore['accept']): IntakeStore {
  return {
    accept,
    async earlier({ accountId, key, fingerprint, atMs }) {
      const row = await reader.get<KeyRow>(
        'SELECT * FROM idempotency_keys WHERE account_id = ? AND key = ? AND expires_at_ms > ?',
        accountId,
        storable(key),
        atMs,
      );
      return row && answerOf(row, fingerprint);
    },
  };
}
