/** Templates. */
import type { CreatedOr } from '../contract/accounts.ts';
import type {
  MissingVariables,
  Template,
  TemplateChange,
  TemplateContent,
  TemplateStore,
} from '../contract/templates.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface TemplateRow {
  id: number;
  account_id: number;
  name: string;
  from_address: string;
  from_name: string;
  subject: string;
  html: string | null;
  text: string | null;
  missing_variables: MissingVariables;
  list_unsubscribe: number | null;
  created_at_ms: number;
  updated_at_ms: number;
}

const toTemplate = (row: TemplateRow): Template => ({
  id: row.id,
  accountId: row.account_id,
  name: row.name,
  fromAddress: row.from_address,
  fromName: row.from_name,
  subject: row.subject,
  html: row.html ?? undefined,
  text: row.text ?? undefined,
  missingVariables: row.missing_variables,
  listUnsubscribe: row.list_unsubscribe === null ? undefined : row.list_unsubscribe !== 0,
  createdAtMs: row.created_at_ms,
  updatedAtMs: row.updated_at_ms,
});

const byIdSql = 'SELECT * FROM templates WHERE id = ? AND account_id = ?';
const byNameSql = 'SELECT * FROM templates WHERE account_id = ? AND name = ?';

export const templateWrites = {
  async create(
    database: Writer,
    { accountId, content, atMs }: { accountId: number; content: TemplateContent; atMs: number },
  ): Promise<CreatedOr<Template>> {
    if ((await database.get(byNameSql, accountId, content.name)) !== undefined) return { kind: 'taken' };
    const id = await database.insert(
      `INSERT INTO templates (account_id, name, from_address, from_name, subject, html, text, missing_variables,
         list_unsubscribe, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      accountId,
      ...columnsOf(content),
      atMs,
      atMs,
    );
    return { kind: 'created', value: { id, accountId, ...content, createdAtMs: atMs, updatedAtMs: atMs } };
  },

  async change(
    database: Writer,
    input: { accountId: number; templateId: number; content: TemplateContent; atMs: number },
  ): Promise<TemplateChange> {
    const { accountId, templateId, content, atMs } = input;
    const row = await database.get<TemplateRow>(byIdSql, templateId, accountId);
    if (row === undefined) return { kind: 'unknown' };
    const namesake = await database.get<TemplateRow>(byNameSql, accountId, content.name);
    if (namesake !== undefined && namesake.id !== templateId) return { kind: 'taken' };
    // Grows although two changes fall into one millisecond: what was made of the old text is told by it.
    const updatedAtMs = Math.max(atMs, row.updated_at_ms + 1);
    await database.run(
      `UPDATE templates SET name = ?, from_address = ?, from_name = ?, subject = ?, html = ?, text = ?,
         missing_variables = ?, list_unsubscribe = ?, updated_at_ms = ? WHERE id = ?`,
      ...columnsOf(content),
      updatedAtMs,
      templateId,
    );
    const { createdAtMs } = toTemplate(row);
    return { kind: 'changed', value: { id: templateId, accountId, ...content, createdAtMs, updatedAtMs } };
  },

  async remove(
    database: Writer,
    { accountId, templateId }: { accountId: number; templateId: number },
  ): Promise<boolean> {
    return (
      (await database.run('DELETE FROM templates WHERE id = ? AND account_id = ?', templateId, accountId)) > 0
    );
  },
};

function columnsOf(content: TemplateContent): (string | number | null)[] {
  const { name, fromAddress, fromName, subject, html, text, missingVariables, listUnsubscribe } = content;
  const listed = listUnsubscribe === undefined ? null : Number(listUnsubscribe);
  return [name, fromAddress, fromName, subject, html ?? null, text ?? null, missingVariables, listed];
}

export function templateStore(reader: Reader, write: Calls<typeof templateWrites>): TemplateStore {
  const template = (row: TemplateRow | undefined) => (row === undefined ? undefined : toTemplate(row));
  return {
    ...write,
    byId: async (accountId, templateId) =>
      template(await reader.get<TemplateRow>(byIdSql, templateId, accountId)),
    byName: async (accountId, name) => template(await reader.get<TemplateRow>(byNameSql, accountId, name)),
    list: async ({ accountId, limit, beforeId }) =>
      (
        await reader.all<TemplateRow>(
          'SELECT * FROM templates WHERE account_id = ? AND id < ? ORDER BY id DESC LIMIT ?',
          accountId,
          beforeId ?? Number.MAX_SAFE_INTEGER,
          limit,
        )
      ).map(toTemplate),
  };
}
