/**
 * Opens and clicks in batches: how far each journal is told stands in the same transaction as the events, so that a visit
 * whose fate its teller never learnt is told again and counts once.
 */
import type { NumberedVisit, VisitBatch, VisitsTold } from '../contract/log.ts';
import type { Writer } from './statements.ts';

/** A journal that has told nothing for so long has gone with its folder. */
const keepJournalMs = 365 * 86_400_000;

/**
 * Takes the journal for this transaction: another one that tells of it waits, and then sees what this one told.
 * @returns how far it is told
 */
export async function takeJournal(
  database: Writer,
  { journal, atMs }: Pick<VisitBatch, 'journal' | 'atMs'>,
): Promise<VisitsTold> {
  const told = await database.get<VisitsTold>(
    `INSERT INTO visit_journals (journal, opened, clicked, told_at_ms) VALUES (?, 0, 0, ?)
     ON CONFLICT (journal) DO UPDATE SET told_at_ms = excluded.told_at_ms RETURNING opened, clicked`,
    journal,
    atMs,
  );
  if (told === undefined) throw new Error('an insert made no row');
  const isNew = told.opened === 0 && told.clicked === 0;
  if (isNew) await database.run('DELETE FROM visit_journals WHERE told_at_ms < ?', atMs - keepJournalMs);
  return told;
}

export async function saveTold(
  database: Writer,
  journal: string,
  { opened, clicked }: VisitsTold,
): Promise<void> {
  await database.run(
    'UPDATE visit_journals SET opened = ?, clicked = ? WHERE journal = ?',
    opened,
    clicked,
    journal,
  );
}

/** Which of them are news, and how far the journal is told with them. */
export function untold(visits: readonly NumberedVisit[], told: VisitsTold) {
  const after = { ...told };
  const fresh = visits.map(({ number, report: { type } }) => {
    const isFresh = number > after[type];
    if (isFresh) after[type] = number;
    return isFresh;
  });
  return { fresh, after };
}
