/**
 * The least that could tell a receiver of stored events: reads a page of rows, stringifies, POSTs, and goes on, with
 * neither retries nor a kept cursor. A program of its own: `node bench/post-loop.ts DATABASE AFTER-ID URL batch`, or
 * `… single LOOPS` for one event a request, by so many loops that each tell all of them over a connection of their own.
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

const [file = '', afterId = '0', url = '', framing = 'batch', loops = '1'] = process.argv.slice(2);
const database = new DatabaseSync(file, { readOnly: true });
const read = database.prepare(
  `SELECT id, message_id, type, time_ms, recipient, sender, subject, code, enhanced_code, response
   FROM events WHERE id > ? ORDER BY id LIMIT ${pageEvents}`,
);

const sendpulse = (row: EventRow) => ({
  smtp_server_response_code: row.code,
  smtp_server_response_subcode: row.enhanced_code,
  sender: row.sender,
  smtp_server_response: row.response,
  timestamp: Math.floor(row.time_ms / 1000),
  message_id: row.message_id,
  recipient: row.recipient,
  event: row.type,
  subject: row.subject,
});

const msndr = (row: EventRow) => ({
  message: { id: row.message_id },
  event: { name: row.type, timestamp: Math.floor(row.time_ms / 1000), data: {} },
});

function bodies(rows: readonly EventRow[]): readonly string[] {
  return framing === 'single'
    ? rows.map((row) => JSON.stringify(msndr(row)))
    : [JSON.stringify(rows.map(sendpulse))];
}

async function tellAll(): Promise<void> {
  const pool = new Pool(new URL(url).origin, { connections: 1 });
  const page = (after: number) => read.all(after) as unknown as EventRow[];
  for (let rows = page(Number(afterId)); rows.length > 0; rows = page(rows.at(-1)?.id ?? 0)) {
    for (const body of bodies(rows)) {
      const headers = { 'content-type': 'application/json' };
      const answer = await pool.request({ path: '/', method: 'POST', headers, body });
      await answer.body.dump();
    }
  }
  await pool.close();
}

await Promise.all(Array.from({ length: Number(loops) }, tellAll));
