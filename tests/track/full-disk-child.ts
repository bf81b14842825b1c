/** Writes opens into the journal of the folder it is given until the disk takes no more, then what it says came back. */
import { systemRandom } from '../../src/platform/clock.ts';
import { Journal } from '../../src/track/journal.ts';
import { openOf } from './log.ts';

const journal = await Journal.open(process.argv[2] ?? '', systemRandom);
const taken: number[] = [];
for (let number = 1; number <= 300; number += 3) {
  const rows = [0, 1, 2].map((offset) => ({
    number: number + offset,
    visit: openOf(number + offset, 1),
    count: 1,
    sinceMs: 0,
  }));
  const numbers = rows.map((row) => row.number);
  // A file may not grow for ever here: each refusal is followed by a new one.
  try {
    journal.append(rows);
    taken.push(...numbers);
  } catch {
    process.stdout.write('refused ');
  }
}
const back: number[] = [];
for (let place = journal.begin; !journal.isAtEnd(place); ) {
  const page = await journal.read(place);
  back.push(...page.rows.map(({ number }) => number));
  place = page.next;
}
process.stdout.write(
  JSON.stringify(back) === JSON.stringify(taken) ? 'exact' : `${taken.join()} but ${back.join()}`,
);
