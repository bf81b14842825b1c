/**
 * The rows of a journal as text: a line of JSON holds some of them, and is read back whole or not at all. Whatever a file
 * holds that is no such line says nothing, and never hides the lines around it.
 */
import { open } from 'node:fs/promises';
import { ofRow, type Recorded, rowOf } from './visit.ts';

/** Of one write, beyond which the rest takes its turn. */
const writeBytes = 2 ** 20;
/** What is read back at once, unless a line is longer. */
const readBytes = 64 * 1024;
/** The rows of a line. */
const rowsOfLine = 32;

/** Those that one write takes and there is room for, from the first on. */
export function linesThatFit(rows: readonly Recorded[], roomBytes: number) {
  let text = '';
  let bytes = 0;
  let taken = 0;
  while (taken < rows.length && bytes < writeBytes) {
    const group = rows.slice(taken, taken + rowsOfLine);
    const line = `${JSON.stringify(group.map(rowOf))}\n`;
    const lineBytes = Buffer.byteLength(line);
    if (bytes + lineBytes > roomBytes) break;
    text += line;
    bytes += lineBytes;
    taken += group.length;
  }
  return { text, bytes, taken, last: rows[taken - 1]?.number ?? 0 };
}

/** Whole lines; the last one of a file may be half of one: the process ended while it wrote. */
export async function linesFrom(path: string, start: number, fileBytes: number) {
  const handle = await open(path, 'r');
  try {
    for (let wantedBytes = readBytes; ; wantedBytes *= 2) {
      const buffer = Buffer.alloc(Math.min(wantedBytes, fileBytes - start));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
      const isAll = bytesRead < wantedBytes;
      const end = isAll ? bytesRead : buffer.lastIndexOf('\n', bytesRead) + 1;
      if (end > 0 || isAll) {
        return { text: buffer.toString('utf8', 0, end), end: isAll ? fileBytes : start + end };
      }
    }
  } finally {
    await handle.close();
  }
}

/** In the order in which they stand there. */
export function rowsOf(text: string): Recorded[] {
  return text
    .split('\n')
    .flatMap(parsed)
    .map(ofRow)
    .filter((row) => row !== undefined);
}

/** @returns nothing of a line that is none of ours, or half of one: nobody can say any more what it was */
function parsed(line: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
