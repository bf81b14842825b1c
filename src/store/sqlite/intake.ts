/** Taking submissions in, in SQLite. */
import type { BodyPlace } from '../contract/bodies.ts';
import type { IntakeResult, IntakeStore } from '../contract/intake.ts';
import { bodySizeOf, type PlacedSubmission, placingBodies } from '../sql/bodies.ts';
import type { Reader, Writer } from './database.ts';
import { insertEvent } from './events.ts';
import type { WriteVerbs } from './writer.ts';

interface KeyRow {
  fingerprint: string;
  submission_id: number;
  first_message_id: number;
  message_count: number;
  expires_at_ms: number;
}

/** What was answered under this key before, or undefined if the key is new (or its day is over). */
function earlierAnswer(
  database: Reader,
  { accountId, key, fingerprint, atMs }: Parameters<IntakeStore['earlier']>[0],
): Awaited<ReturnType<IntakeStore['earlier']>> {
  const row = database.get<KeyRow>(
    'SELECT * FROM idempotency_keys WHERE account_id = ? AND key = ?',
    accountId,
    key,
  );
  if (row === undefined || row.expires_at_ms <= atMs) return undefined;
  if (row.fingerprint !== fingerprint) return { kind: 'conflict' };
  return {
    kind: 'repeated',
    submissionId: row.submission_id,
    messageIds: Array.from({ length: row.message_count }, (_, index) => row.first_message_id + index),
  };
}

function insertSubmission(
  database: Writer,
  id: number,
  submission: PlacedSubmission,
  tagsJson: string,
): void {
  database.run(
    `INSERT INTO submissions (id, account_id, door, envelope_sender, sender, sender_name, subject,
       internet_message_id, tags, metadata, stream, essential, track_opens, track_clicks, track_text, list_unsubscribe,
       tracking_host, template_id, template_version, size_bytes, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    submission.accountId,
    submission.door,
    submission.envelopeSender,
    submission.sender,
    submission.senderName,
    submission.subject,
    submission.internetMessageId,
    tagsJson,
    submission.metadataJson,
    submission.stream,
    submission.essential ? 1 : 0,
    submission.trackOpens ? 1 : 0,
    submission.trackClicks ? 1 : 0,
    submission.trackText ? 1 : 0,
    submission.listUnsubscribe ? 1 : 0,
    submission.trackingHost,
    submission.templateId ?? null,
    submission.templateVersion ?? null,
    bodySizeOf(submission),
    submission.atMs,
  );
  database.run(
    'INSERT INTO bodies (submission_id, raw, object_key) VALUES (?, ?, ?)',
    id,
    submission.raw,
    submission.placed?.key ?? '',
  );
}

function insertMessage(
  database: Writer,
  { messageId, submissionId }: { messageId: number; submissionId: number },
  submission: PlacedSubmission,
  recipient: PlacedSubmission['recipients'][number],
  tagsJson: string,
): void {
  const { accountId, atMs } = submission;
  database.run(
    `INSERT INTO messages (id, submission_id, account_id, recipient, role, state, last_number, created_at_ms)
     VALUES (?, ?, ?, ?, ?, 'queued', 1, ?)`,
    messageId,
    submissionId,
    accountId,
    recipient.address,
    recipient.role,
    atMs,
  );
  database.run(
    'INSERT INTO queue (message_id, account_id, due_at_ms, attempts_made) VALUES (?, ?, ?, 0)',
    messageId,
    accountId,
    atMs,
  );
  for (const tag of submission.tags) {
    database.run(
      'INSERT INTO message_tags (account_id, tag, message_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      accountId,
      tag,
      messageId,
    );
  }
  insertEvent(database, {
    accountId,
    messageId,
    number: 1,
    type: 'accepted',
    atMs,
    recipient: recipient.address,
    sender: submission.sender,
    subject: submission.subject,
    tags: tagsJson,
    metadata: submission.metadataJson,
    detail: { door: submission.door },
  });
}

export const intakeWrites = {
  accept(database: Writer, submission: PlacedSubmission): IntakeResult {
    const { idempotency } = submission;
    const earlier = idempotency && earlierAnswer(database, { ...submission, ...idempotency });
    if (earlier !== undefined) return earlier;

    const count = submission.recipients.length;
    const submissionId = database.nextIds('submissions');
    const firstMessageId = database.nextIds('messages', count);
    const tagsJson = JSON.stringify(submission.tags);
    insertSubmission(database, submissionId, submission, tagsJson);
    for (const [index, recipient] of submission.recipients.entries()) {
      const ids = { messageId: firstMessageId + index, submissionId };
      insertMessage(database, ids, submission, recipient, tagsJson);
    }
    if (idempotency !== undefined) {
      const { key, fingerprint, expiresAtMs } = idempotency;
      database.run(
        'INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)',
        submission.accountId,
        key,
        fingerprint,
        submissionId,
        firstMessageId,
        count,
        expiresAtMs,
      );
    }
    const messageIds = Array.from({ length: count }, (_, index) => firstMessageId + index);
    return { kind: 'accepted', submissionId, messageIds };
  },
};

/**
 * With its body in memory of its own. A small Buffer is a view into a pool of 64 KiB, and what goes to the writer's thread is
 * copied with all the memory that it is a view of.
 */
function inOwnMemory(submission: PlacedSubmission): PlacedSubmission {
  const { raw } = submission;
  const isOwn = raw.byteLength === raw.buffer.byteLength;
  return isOwn ? submission : { ...submission, raw: new Uint8Array(raw) };
}

export function intakeStore(
  reader: Reader,
  write: WriteVerbs['intake'],
  { tellQueued, bodies }: { readonly tellQueued: () => void; readonly bodies: BodyPlace | undefined },
): IntakeStore {
  return {
    accept: placingBodies(bodies, async (submission) => {
      const result = await write.accept(inOwnMemory(submission));
      if (result.kind === 'accepted') tellQueued();
      return result;
    }),
    earlier: async (input) => earlierAnswer(reader, input),
  };
}
