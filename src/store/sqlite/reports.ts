/** Reports that changed nothing, in SQLite. */
import {
  mostReportsWithoutToken,
  type NewReceivedReport,
  type ReceivedReport,
  type ReportStore,
} from '../contract/reports.ts';
import type { Calls } from './calls.ts';
import type { Reader, Writer } from './database.ts';

interface ReportRow {
  id: number;
  account_id: number | null;
  message_id: number | null;
  at_ms: number;
  kind: ReceivedReport['kind'];
  action: string;
  recipient: string;
  feedback_type: string;
  code: string;
  enhanced_code: string;
  response: string;
  category: string;
  reporter: string;
  subject: string;
}

const toReport = (row: ReportRow): ReceivedReport => ({
  id: row.id,
  accountId: row.account_id ?? undefined,
  messageId: row.message_id ?? undefined,
  atMs: row.at_ms,
  kind: row.kind,
  action: row.action,
  recipient: row.recipient,
  feedbackType: row.feedback_type,
  code: row.code,
  enhancedCode: row.enhanced_code,
  text: row.response,
  category: row.category,
  reporter: row.reporter,
  subject: row.subject,
});

/** @returns undefined if the message that a token names is gone, null if nobody knows */
function accountOf(database: Writer, report: NewReceivedReport): number | null | undefined {
  const { messageId, claimedAccountId } = report;
  if (messageId !== undefined) {
    return database.get<{ id: number }>('SELECT account_id AS id FROM messages WHERE id = ?', messageId)?.id;
  }
  if (claimedAccountId === undefined) return null;
  return database.get<{ id: number }>('SELECT id FROM accounts WHERE id = ?', claimedAccountId)?.id ?? null;
}

export const reportWrites = {
  add(database: Writer, report: NewReceivedReport): 'added' | 'unknown' {
    const accountId = accountOf(database, report);
    if (accountId === undefined) return 'unknown';
    database.run(
      `INSERT INTO reports (account_id, message_id, at_ms, kind, action, recipient, feedback_type, code, enhanced_code,
         response, category, reporter, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      accountId,
      report.messageId ?? null,
      report.atMs,
      report.kind,
      report.action,
      report.recipient,
      report.feedbackType,
      report.code,
      report.enhancedCode,
      report.text,
      report.category,
      report.reporter,
      report.subject,
    );
    if (report.messageId === undefined) {
      database.run(
        `DELETE FROM reports WHERE message_id IS NULL AND id <= (
           SELECT id FROM reports WHERE message_id IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?)`,
        mostReportsWithoutToken,
      );
    }
    return 'added';
  },
};

export function reportStore(reader: Reader, write: Calls<typeof reportWrites>): ReportStore {
  return {
    ...write,
    async list({ accountId, withUnclaimed, messageId, limit, beforeId = Number.MAX_SAFE_INTEGER }) {
      const ofMessage = messageId === undefined ? '' : 'AND message_id = ?';
      const values = messageId === undefined ? [beforeId, limit] : [beforeId, messageId, limit];
      const page = (where: string, ...first: number[]) =>
        reader.all<ReportRow>(
          `SELECT * FROM reports WHERE ${where} AND id < ? ${ofMessage} ORDER BY id DESC LIMIT ?`,
          ...first,
          ...values,
        );
      const rows =
        accountId === undefined
          ? page(withUnclaimed ? 'true' : 'account_id IS NOT NULL')
          : [...page('account_id = ?', accountId), ...(withUnclaimed ? page('account_id IS NULL') : [])].sort(
              (a, b) => b.id - a.id,
            );
      return rows.slice(0, limit).map(toReport);
    },
  };
}
