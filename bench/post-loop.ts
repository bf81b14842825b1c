/**
 * The least that could tell a receiver of stored events: reads a page of rows, stringifies, POSTs, and goes on, with
 * neither retries nor a kept cursor. A program of its own: `node bench/post-loop.ts DATABASE AFTER-ID URL`.
 */
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';

const pageEvents = 1000;

interface EventRow {
  id: number;
  message_id: number;
  type: string;
  time_ms: number;
  recipient: string;
  sender: string;
  subject: string;
  code: string;
  enhanced_code: string;
  response: string;
}

const [file = '', afterId = '0', url = ''] = process.argv.slice(2);
const database = new DatabaseSync(file, { readOnly: true });
const read = database.prepare(
  `SELECT id, message_id, type, time_ms, recipient, sender, subject, code, enhanced_code, response
   FROM events WHERE id > ? ORDER BY id LIMIT ${pageEvents}`,
);
const pool = new Pool(new URL(url).origin, { connections: 1 });

const page = (after: number) => read.all(after) as unknown as EventRow[];
for (let rows = page(Number(afterId)); rows.length > 0; rows = page(rows.at(-1)?.id ?? 0)) {
  const events = rows.map((row) => ({
    smtp_server_response_code: row.code,
    smtp_server_response_subcode: row.enhanced_code,
    sender: row.sender,
    smtp_server_response: row.response,
    timestamp: Math.floor(row.time_ms / 1000),
    message_id: row.message_id,
    recipient: row.recipient,
    event: row.type,
    subject: row.subject,
  }));
  const { body } = await pool.request({
    path: '/',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  await body.dump();
}
await pool.close();
