/**
 * Which process sends for which endpoint: never two for one. Every living process that asks has an equal share, so one
 * that comes takes over what others then let go of, and what a dead one had is shared out among the rest.
 */
import type { ProgressSave, ProgressSaved } from '../contract/webhook-progress.ts';
import type { WebhookShare } from '../contract/webhooks.ts';
import { saveProgress } from '../sql/webhook-progress.ts';
import type { Reader } from '../sql/statements.ts';
import { arrayOf, type Transaction } from './transaction.ts';

interface Standing {
  endpoints: number;
  attended: number;
  senders: number;
  sends: number | null;
  /** Numbers in an array come as text; null if there is none. */
  held: string[] | null;
  turns: string[] | null;
  revisions: string[] | null;
}

/** What tells that an endpoint `w` was changed, switched on or off, or got a replay. */
const revision =
  "concat_ws(' ', w.changed_at_ms, w.paused_by, (SELECT max(id) FROM webhook_replays WHERE webhook_id = w.id))";

/** Of what stands: an endpoint that was removed is nobody's, and what nobody who sends has, nobody attends. */
const standingSql = `
  SELECT (SELECT count(*) FROM webhooks) AS endpoints,
    (SELECT count(*) FROM webhook_holders h JOIN webhooks w ON w.id = h.webhook_id
       JOIN processes p ON p.name = h.holder AND p.sends = 1) AS attended,
    (SELECT count(*) FROM processes WHERE sends = 1) AS senders,
    (SELECT sends FROM processes WHERE name = ?) AS sends,
    own.held, own.turns, own.revisions
  FROM (
    SELECT array_agg(w.id ORDER BY w.id) AS held, array_agg(h.turn ORDER BY w.id) AS turns,
      array_agg(${revision} ORDER BY w.id) AS revisions
    FROM webhook_holders h JOIN webhooks w ON w.id = h.webhook_id WHERE h.holder = ?
  ) own`;

/** Most askings change nothing: one statement sees that. @returns undefined if there is something to take */
export async function settledShare(database: Reader, processName: string): Promise<WebhookShare | undefined> {
  const standing = await database.get<Standing>(standingSql, processName, processName);
  if (standing?.sends !== 1 || standing.attended < standing.endpoints) return undefined;
  const { held, turns, revisions } = standing;
  const rows = (held ?? []).map((id, index) => ({
    id: Number(id),
    turn: Number(turns?.[index]),
    revision: revisions?.[index] ?? '',
  }));
  return shareOf(rows, standing);
}

interface Held {
  readonly id: number;
  readonly turn: number;
  readonly revision: string;
}

function shareOf(rows: readonly Held[], { endpoints, senders }: Counts): WebhookShare {
  const share = Math.ceil(endpoints / Math.max(1, senders));
  return {
    held: new Map(rows.map(({ id, turn }) => [id, turn])),
    excess: new Set(rows.slice(share).map(({ id }) => id)),
    revisions: new Map(rows.map(({ id, revision }) => [id, revision])),
  };
}

interface Counts {
  endpoints: number;
  senders: number;
}

const countSql = `
  SELECT (SELECT count(*) FROM webhooks) AS endpoints, (SELECT count(*) FROM processes WHERE sends = 1) AS senders`;

/** What was removed, and what a process still had when it was forgotten. */
const freeSql = `
  DELETE FROM webhook_holders h
  WHERE NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.id = h.webhook_id)
    OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.name = h.holder)`;

const takeSql = `
  INSERT INTO webhook_holders (webhook_id, holder)
  SELECT w.id, p.name FROM webhooks w CROSS JOIN processes p
  WHERE p.name = ? AND NOT EXISTS (SELECT 1 FROM webhook_holders h WHERE h.webhook_id = w.id)
  ORDER BY w.id
  LIMIT greatest(0, ? - (SELECT count(*) FROM webhook_holders WHERE holder = ?))`;

/** One process at a time looks at who has what. One that was taken for dead gets nothing until it has said that it lives. */
export async function takeShare(transaction: Transaction, processName: string): Promise<WebhookShare> {
  await transaction.lockAlone('shares');
  await transaction.run('UPDATE processes SET sends = 1 WHERE name = ?', processName);
  await transaction.run(freeSql);
  const { endpoints = 0, senders = 1 } = (await transaction.get<Counts>(countSql)) ?? {};
  const share = Math.ceil(endpoints / Math.max(1, senders));
  await transaction.run(takeSql, processName, share, processName);
  const rows = await transaction.all<Held>(
    `SELECT w.id, h.turn, ${revision} AS revision FROM webhook_holders h JOIN webhooks w ON w.id = h.webhook_id
     WHERE h.holder = ? ORDER BY w.id`,
    processName,
  );
  return shareOf(rows, { endpoints, senders });
}

export async function letGo(
  transaction: Transaction,
  processName: string,
  webhookIds: readonly number[],
): Promise<void> {
  await transaction.run(
    'DELETE FROM webhook_holders WHERE holder = ? AND webhook_id = ANY (?::bigint[])',
    processName,
    arrayOf(webhookIds),
  );
}

/**
 * Saves only what is sent by who holds the endpoint, in the turn that lasts. Whoever takes it over waits for a saving
 * under way, and begins where that has ended.
 */
export async function saveFenced(
  transaction: Transaction,
  processName: string,
  input: ProgressSave,
): Promise<ProgressSaved> {
  const held = await transaction.get<{ account_id: number }>(
    `SELECT w.account_id FROM webhook_holders h JOIN webhooks w ON w.id = h.webhook_id
     WHERE h.webhook_id = ? AND h.holder = ? AND h.turn = ? FOR SHARE OF h`,
    input.webhookId,
    processName,
    input.turn,
  );
  if (held === undefined) return 'gone';
  await transaction.lockSettings(held.account_id);
  return saveProgress(transaction, input);
}
