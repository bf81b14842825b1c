/**
 * Compares what `aftersend inspect mail` says with labels that others gave to the same mail: which mail is parsed, which
 * status codes, hard or not, and categories are right. The rules of scoring stand in tests/data/bounces/README.md.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InspectedMail, inspectMail } from '../../src/cli/inspect.ts';

interface Label {
  readonly status: string;
  readonly reply: string;
  readonly reason: string;
  readonly hard: boolean;
  readonly feedback?: string;
}

export interface Recall {
  /** One line for each thing that was read otherwise than labelled. */
  readonly misses: readonly string[];
  readonly scores: Readonly<Record<'parsed' | 'status' | 'hard' | 'category', { right: number; of: number }>>;
}

export async function measureRecall(folder: string): Promise<Recall> {
  const json = async <T>(name: string) => JSON.parse(await readFile(join(folder, name), 'utf8')) as T;
  const labels = await json<Record<string, Label[]>>('labels.json');
  const reasons = await json<Record<string, string[]>>('reasons.json');
  const misses: string[] = [];
  const score = () => ({ right: 0, of: 0 });
  const scores = { parsed: score(), status: score(), hard: score(), category: score() };
  const count = (what: keyof typeof scores, right: boolean, miss: string) => {
    scores[what].of++;
    if (right) scores[what].right++;
    else misses.push(`${what}: ${miss}`);
  };
  for (const [name, rows] of Object.entries(labels)) {
    const file = join(folder, 'mail', `${name}.eml`);
    const read = await inspectMail(file);
    const text = await readFile(file, 'latin1');
    const wanted = rows.filter(({ reason }) => reason !== 'delivered' && reason !== 'undefined');
    const kind = kindOf(rows);
    count(
      'parsed',
      read.kind === kind && read.recipients.length >= wanted.length,
      `${name} ${JSON.stringify(read)}`,
    );
    if (kind !== 'bounce') continue;
    for (const [index, label] of rows.entries()) {
      if (!wanted.includes(label)) continue;
      const got = rowOf(read, index);
      const said = `${name} ${label.reason} ${label.status} ${JSON.stringify(got)}`;
      const made = /^[45]\.0\.9\d\d$/.test(label.status);
      if (made || (label.status !== '' && text.includes(label.status))) {
        const right = made ? got?.status[0] === label.status[0] : got?.status === label.status;
        count('status', right, said);
      }
      count('hard', got?.hard === label.hard, said);
      count('category', reasons[label.reason]?.includes(got?.category ?? '') ?? false, said);
    }
  }
  return { misses, scores };
}

function kindOf(rows: readonly Label[]): InspectedMail['kind'] {
  if (rows.some(({ reason }) => reason === 'feedback')) return 'complaint';
  return rows.some(({ reason }) => reason === 'vacation') ? 'auto-reply' : 'bounce';
}

/** Labels stand in the order of the report. */
const rowOf = ({ recipients }: InspectedMail, index: number) => recipients[index];
