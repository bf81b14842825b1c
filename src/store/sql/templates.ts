/** Templates and what they were before. */
import type { CreatedOr } from '../contract/accounts.ts';
import {
  keptTemplateVersions,
  type MissingVariables,
  type Template,
  type TemplateChange,
  type TemplateContent,
  type TemplateStore,
  type TemplateVersion,
} from '../contract/templates.ts';
import type { Calls, Reader, Writer } from './statements.ts';

interface ContentRow {
  name: string;
  from_address: string;
  from_name: string;
  subject: string;
  html: string | null;
  text: string | null;
  missing_variables: MissingVariables;
  list_unsubscribe: number | null;
}

const contentColumns =
  'name, from_address, from_name, subject, html, text, missing_variables, list_unsubscribe';

const toContent = (row: ContentRow): TemplateContent => ({
  name: row.name,
  fromAddress: row.from_address,
  fromName: row.from_name,
  subject: row.subject,
  html: row.html ?? undefined,
  text: row.text ?? undefined,
  missingVariables: row.missing_variables,
  listUnsubscribe: row.list_unsubscribe === null ? undefined : row.list_unsubscribe !== 0,
});

/** In the order of `contentColumns`. */
function valuesOf(content: TemplateContent): (string | number | null)[] {
  const { name, fromAddress, fromName, subject, html, text, missingVariables, listUnsubscribe } = content;
  const listed = listUnsubscribe === undefined ? null : Number(listUnsubscribe);
  return [name, fromAddress, fromName, subject, html ?? null, text ?? null, missingVariables, listed];
}

interface TemplateRow extends ContentRow {
  id: number;
  account_id: number;
  version: number;
  created_at_ms: number;
  updated_at_ms: number;
}

const toTemplate = (row: TemplateRow): Template => ({
  id: row.id,
  accountId: row.account_id,
  ...toContent(row),
  version: row.version,
  createdAtMs: row.created_at_ms,
  updatedAtMs: row.updated_at_ms,
});

interface VersionRow {
  version: number;
  saved_at_ms: number;
  author: string;
  name: string;
  subject: string;
}

const toVersion = ({ version, saved_at_ms, author, name, subject }: VersionRow): TemplateVersion => ({
  version,
  savedAtMs: saved_at_ms,
  author,
  name,
  subject,
});

const byIdSql = 'SELECT * FROM templates WHERE id = ? AND account_id = ?';
const byNameSql = 'SELECT * FROM templates WHERE account_id = ? AND name = ?';
const selectVersions = (columns: string) =>
  `SELECT ${columns} FROM template_versions v JOIN templates t ON t.id = v.template_id
   WHERE t.id = ? AND t.account_id = ?`;
const versionSql = `${selectVersions('v.*')} AND v.version = ?`;
const versionListSql = `${selectVersions('v.version, v.saved_at_ms, v.author, v.name, v.subject')}
  ORDER BY v.version DESC`;

/** Keeps the template as it stands now, and no more of what it was than is kept. */
async function keepVersion(database: Writer, templateId: number, author: string): Promise<void> {
  await database.run(
    `INSERT INTO template_versions (template_id, version, saved_at_ms, author, ${contentColumns})
     SELECT id, version, updated_at_ms, ?, ${contentColumns} FROM templates WHERE id = ?`,
    author,
    templateId,
  );
  await database.run(
    `DELETE FROM template_versions WHERE template_id = ?
     AND version <= (SELECT version FROM templates WHERE id = ?) - ?`,
    templateId,
    templateId,
    keptTemplateVersions,
  );
}

async function written(database: Writer, accountId: number, templateId: number): Promise<Template> {
  const row = await database.get<TemplateRow>(byIdSql, templateId, accountId);
  if (row === undefined) throw new Error('a template just written is not there');
  return toTemplate(row);
}

export const templateWrites = {
  async create(
    database: Writer,
    input: { accountId: number; content: TemplateContent; author: string; atMs: number },
  ): Promise<CreatedOr<Template>> {
    const { accountId, content, author, atMs } = input;
    if ((await database.get(byNameSql, accountId, content.name)) !== undefined) return { kind: 'taken' };
    const id = await database.insert(
      `INSERT INTO templates (account_id, ${contentColumns}, created_at_ms, updated_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      accountId,
      ...valuesOf(content),
      atMs,
      atMs,
    );
    await keepVersion(database, id, author);
    return { kind: 'created', value: await written(database, accountId, id) };
  },

  async change(
    database: Writer,
    input: { accountId: number; templateId: number; content: TemplateContent; author: string; atMs: number },
  ): Promise<TemplateChange> {
    const { accountId, templateId, content, author, atMs } = input;
    const row = await database.get<TemplateRow>(byIdSql, templateId, accountId);
    if (row === undefined) return { kind: 'unknown' };
    const namesake = await database.get<TemplateRow>(byNameSql, accountId, content.name);
    if (namesake !== undefined && namesake.id !== templateId) return { kind: 'taken' };
    if (JSON.stringify(valuesOf(content)) === JSON.stringify(valuesOf(toContent(row)))) {
      return { kind: 'changed', value: toTemplate(row) };
    }
    await database.run(
      `UPDATE templates SET name = ?, from_address = ?, from_name = ?, subject = ?, html = ?, text = ?,
         missing_variables = ?, list_unsubscribe = ?, version = version + 1, updated_at_ms = ? WHERE id = ?`,
      ...valuesOf(content),
      // Grows although two changes fall into one millisecond: what was made of the old text is told by it.
      Math.max(atMs, row.updated_at_ms + 1),
      templateId,
    );
    await keepVersion(database, templateId, author);
    return { kind: 'changed', value: await written(database, accountId, templateId) };
  },

  async restore(
    database: Writer,
    input: { accountId: number; templateId: number; version: number; author: string; atMs: number },
  ): Promise<TemplateChange> {
    const { accountId, templateId, version } = input;
    const now = await database.get<TemplateRow>(byIdSql, templateId, accountId);
    const then = await database.get<ContentRow>(versionSql, templateId, accountId, version);
    if (now === undefined || then === undefined) return { kind: 'unknown' };
    return templateWrites.change(database, { ...input, content: { ...toContent(then), name: now.name } });
  },

  async remove(
    database: Writer,
    { accountId, templateId }: { accountId: number; templateId: number },
  ): Promise<boolean> {
    if ((await database.get(byIdSql, templateId, accountId)) === undefined) return false;
    await database.run('DELETE FROM template_versions WHERE template_id = ?', templateId);
    return (await database.run('DELETE FROM templates WHERE id = ?', templateId)) > 0;
  },
};

export function templateStore(reader: Reader, write: Calls<typeof templateWrites>): TemplateStore {
  const template = (row: TemplateRow | undefined) => (row === undefined ? undefined : toTemplate(row));
  return {
    ...write,
    byId: async (accountId, templateId) =>
      template(await reader.get<TemplateRow>(byIdSql, templateId, accountId)),
    byName: async (accountId, name) => template(await reader.get<TemplateRow>(byNameSql, accountId, name)),
    versions: async (accountId, templateId) =>
      (await reader.all<VersionRow>(versionListSql, templateId, accountId)).map(toVersion),
    async version(accountId, templateId, version) {
      const row = await reader.get<VersionRow & ContentRow>(versionSql, templateId, accountId, version);
      return row && { ...toVersion(row), ...toContent(row) };
    },
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
