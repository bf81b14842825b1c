/** Reports that changed nothing. */
import {
  mostReportsWithoutToken,
  type NewReceivedReport,
  type ReceivedReport,
  type ReportStore,
} from '../contract/reports.ts';
import type { Calls, Reader, Writer } from './statements.ts';

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
async function accountOf(database: Writer, report: NewReceivedReport): Promise<number | null | undefined> {
  const { messageId, claimedAccountId } = report;
  if (messageId !== undefined) {
    return (
      await database.get<{ id: number }>('SELECT account_id AS id FROM messages WHERE id = ?', messageId)
    )?.id;
  }
  if (claimedAccountId === undefined) return null;
  return (
    (await database.get<{ id: number }>('SELECT id FROM accounts WHERE id = ?', claimedAccountId))?.id ?? null
  );
}

export const reportWrites = {
  async add(database: Writer, report: NewReceivedReport): Promise<'added' | 'unknown'> {
    const accountId = await accountOf(database, report);
    if (accountId === undefined) return 'unknown';
    await database.run(
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
      await database.run(
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
      const page = async (where: string, ...first: number[]) =>
        reader.all<ReportRow>(
          `SELECT * FROM reports WHERE ${where} AND id < ? ${ofMessage} ORDER BY id DESC LIMIT ?`,
          ...first,
          ...values,
        );
      if (accountId === undefined) {
        const all = await page(withUnclaimed ? 'true' : 'account_id IS NOT NULL');
        return all.map(toReport);
      }
      const own = await page('account_id = ?', accountId);
      const unclaimed = withUnclaimed ? await page('account_id IS NULL') : [];
      const rows = [...own, ...unclaimed].sort((a, b) => b.id - a.id);
      return rows.slice(0, limit).map(toReport);
    },
  };
}
