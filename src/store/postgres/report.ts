/** Reports in batches: a transaction for as many as came, each by the same rules as in the other store. */
import type { Report, ReportResult } from '../contract/log.ts';
import { reportOther } from '../sql/log.ts';
import { isVisit } from '../sql/visit-events.ts';
import { arrayOf, type Transaction } from './transaction.ts';
import { appendVisits } from './visits.ts';

/** Locks what the reports are about first, in the order in which all others do, and then the logs. */
export async function reportAll(
  transaction: Transaction,
  reports: readonly Report[],
): Promise<readonly ReportResult[]> {
  const ids = reports.map(({ messageId }) => messageId).filter((id) => Number.isSafeInteger(id));
  const messages = await transaction.all<{ account_id: number }>(
    'SELECT account_id FROM messages WHERE id = ANY (?::bigint[]) ORDER BY id FOR NO KEY UPDATE',
    arrayOf(ids),
  );
  if (messages.length === 0) return reports.map(() => ({ kind: 'unknown' }));
  await transaction.lockLogs(messages.map((message) => message.account_id));
  const results: ReportResult[] = [];
  for (const report of reports) {
    if (isVisit(report)) results.push(...(await appendVisits(transaction, [report])));
    else results.push(await reportOther(transaction, report));
  }
  return results;
}
