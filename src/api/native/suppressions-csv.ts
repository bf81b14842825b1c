/**
 * The suppression list as CSV: one that another service kept can be brought along, and ours taken away. Both go in pieces,
 * so that a list of any length that is allowed costs bounded memory. Nothing is stored of a file that is not CSV.
 */
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type Static, Type } from '@fastify/type-provider-typebox';
import { addressOf } from '../../mail/address.ts';
import type { SuppressionReason } from '../../events/types.ts';
import {
  everyStream,
  type NewSuppression,
  type Suppression,
  type SuppressionStore,
} from '../../store/contract/suppressions.ts';
import type { App } from '../app.ts';
import { type CsvRow, csvLine, readCsv } from '../csv.ts';
import { ApiError } from '../errors.ts';
import { isoTime } from './shapes.ts';
import { isStream, type SuppressionDependencies } from './suppressions.ts';

const maxImportBytes = 32 * 2 ** 20;
const maxImportRows = 200_000;
/** Of lines that are not taken, in the answer. */
const mostShown = 100;
/** Entries a write: a long import must not make other writers wait. */
const entriesPerWrite = 500;
const exportPage = 1000;

const columns = ['recipient', 'stream', 'reason', 'event_id', 'created_at'] as const;
/** What other services call them. */
const columnNames: Readonly<Record<string, 'recipient' | 'stream' | 'reason' | 'created_at'>> = {
  recipient: 'recipient',
  email: 'recipient',
  'e-mail': 'recipient',
  'email address': 'recipient',
  address: 'recipient',
  stream: 'stream',
  reason: 'reason',
  created_at: 'created_at',
  created: 'created_at',
  date: 'created_at',
};
type Columns = Partial<Record<'recipient' | 'stream' | 'reason' | 'created_at', number>>;

const reasons: ReadonlySet<string> = new Set<SuppressionReason>([
  'unsubscribed',
  'complained',
  'bounced',
  'manual',
]);

const ImportAnswer = Type.Object({
  added: Type.Integer(),
  known: Type.Integer({ description: 'Were on the list already, and stay as they are' }),
  refused: Type.Integer({ description: 'Lines that say nothing that can be stored' }),
  refusals: Type.Array(
    Type.Object({
      line: Type.Integer(),
      code: Type.Enum(['address-invalid', 'stream-invalid', 'reason-invalid', 'time-invalid']),
      message: Type.String(),
    }),
    { description: `The first ${mostShown} of them` },
  ),
});

export function suppressionCsvRoutes(app: App, { suppressions, clock }: SuppressionDependencies): void {
  app.get(
    '/api/suppressions/csv',
    {
      schema: {
        operationId: 'exportSuppressions',
        tags: ['suppressions'],
        summary: 'Export the list as CSV, newest first',
        description: `With the columns ${columns.join(', ')}.`,
        produces: ['text/csv'],
      },
    },
    async ({ account }, reply) =>
      reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="suppressions.csv"')
        .send(Readable.from(exported(suppressions, account.id))),
  );

  // The body is read by the route, in pieces.
  app.addContentTypeParser('text/csv', (_request, _payload, done) => done(null));
  app.post(
    '/api/suppressions/csv',
    {
      schema: {
        operationId: 'importSuppressions',
        tags: ['suppressions'],
        summary: 'Add the entries of a CSV file to the list',
        description:
          'The first line names the columns: `recipient` (or `email`), and if wanted `stream`, `reason` and ' +
          '`created_at`; without such a line the first column is the address. What is left out is `*`, `manual` and now. ' +
          `At most ${maxImportRows} lines a file.`,
        consumes: ['text/csv'],
        body: Type.String({ examples: ['recipient,stream,reason\r\nann@example.org,*,complained\r\n'] }),
        response: { 200: ImportAnswer },
      },
      validatorCompiler: () => () => true,
    },
    async ({ raw, account, headers }): Promise<Static<typeof ImportAnswer>> => {
      if (headers['content-type']?.startsWith('text/csv') !== true) {
        throw new ApiError(415, 'media-type-unsupported', 'This route takes text/csv');
      }
      // Left open when the reading stops: a client that is still sending would never see why it was refused.
      const body: AsyncIterable<Buffer> = raw.iterator({ destroyOnReturn: false });
      const read = readEntries(readCsv(textOf(body)), clock.now());
      const { entries, refusals, refused } = await read.catch(async (error: unknown) => {
        if (!raw.readableEnded) await finished(raw.resume());
        throw error;
      });
      let added = 0;
      for (let start = 0; start < entries.length; start += entriesPerWrite) {
        const batch = entries.slice(start, start + entriesPerWrite);
        added += await suppressions.addAll({ accountId: account.id, entries: batch });
      }
      return { added, known: entries.length - added, refused, refusals };
    },
  );
}

/** @throws ApiError beyond `maxImportBytes`, or for bytes that are no UTF-8 */
async function* textOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxImportBytes) {
        throw new ApiError(
          413,
          'body-too-large',
          `A file has at most ${maxImportBytes} bytes; send it in parts`,
        );
      }
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(422, 'csv-malformed', 'The file is not UTF-8');
    throw error;
  }
}

type Entry = Omit<NewSuppression, 'accountId' | 'eventId'>;
type Refusal = Static<typeof ImportAnswer>['refusals'][number];
type Fault = Omit<Refusal, 'line'>;

async function readEntries(
  rows: AsyncIterable<CsvRow>,
  nowMs: number,
): Promise<{ entries: Entry[]; refusals: Refusal[]; refused: number }> {
  const entries: Entry[] = [];
  const refusals: Refusal[] = [];
  let refused = 0;
  let places: Columns | undefined;
  for await (const row of rows) {
    if (places === undefined) {
      const named = placesOf(row);
      places = named ?? { recipient: 0 };
      if (named !== undefined) continue;
    }
    if (entries.length + refused >= maxImportRows) {
      throw new ApiError(
        413,
        'body-too-large',
        `A file has at most ${maxImportRows} lines; send it in parts`,
      );
    }
    const entry = entryOf(row, places, nowMs);
    if (!('code' in entry)) entries.push(entry);
    else if (++refused <= mostShown) refusals.push({ line: row.line, ...entry });
  }
  return { entries, refusals, refused };
}

/** @returns undefined if the first line is no header, but an entry already */
function placesOf({ fields }: CsvRow): Columns | undefined {
  if (fields.some((field) => field.includes('@'))) return undefined;
  const places: Columns = {};
  for (const [index, field] of fields.entries()) {
    const column = columnNames[field.toLowerCase()];
    if (column !== undefined) places[column] ??= index;
  }
  if (places.recipient === undefined) {
    throw new ApiError(422, 'csv-malformed', "The first line names no column 'recipient' or 'email'");
  }
  return places;
}

/** @returns what is wrong with it */
function entryOf({ fields }: CsvRow, places: Columns, nowMs: number): Entry | Fault {
  const field = (column: keyof Columns) => fields[places[column] ?? -1] ?? '';
  const recipient = addressOf(field('recipient'))?.address;
  if (recipient === undefined) return { code: 'address-invalid', message: 'This is not a mail address' };
  const stream = field('stream') || everyStream;
  if (!isStream(stream)) return { code: 'stream-invalid', message: 'This is not a stream' };
  const reason = field('reason').toLowerCase() || 'manual';
  if (!reasons.has(reason)) {
    return { code: 'reason-invalid', message: `The reason is one of ${[...reasons].join(', ')}` };
  }
  const date = field('created_at');
  const atMs = date === '' ? nowMs : Date.parse(date);
  if (Number.isNaN(atMs) || atMs < 0 || atMs > nowMs) {
    const message = 'created_at is not a time in the past, as in 2026-11-21T17:55:04Z';
    return { code: 'time-invalid', message };
  }
  return { recipient, stream, reason: reason as SuppressionReason, atMs };
}

async function* exported(suppressions: SuppressionStore, accountId: number): AsyncGenerator<string> {
  yield csvLine(columns);
  let beforeId: number | undefined;
  do {
    const page: readonly Suppression[] = await suppressions.list({ accountId, limit: exportPage, beforeId });
    yield page.map(lineOf).join('');
    beforeId = page.length < exportPage ? undefined : page.at(-1)?.id;
  } while (beforeId !== undefined);
}

function lineOf({ recipient, stream, reason, eventId, createdAtMs }: Suppression): string {
  return csvLine([recipient, stream, reason, String(eventId ?? ''), isoTime(createdAtMs)]);
}
