/** Writes opens into the spool of the folder it is given until the disk takes no more, then what it says came back. */
import { Spool } from '../../src/track/spool.ts';

const spool = await Spool.open(process.argv[2] ?? '');
const facts = { type: 'opened', atMs: 1, url: '', userAgent: '', address: '', isHead: false } as const;
const taken: number[] = [];
for (let messageId = 1; messageId <= 300; messageId += 3) {
  const visits = [0, 1, 2].map((offset) => ({ ...facts, messageId: messageId + offset, isPrefetch: false }));
  const ids = visits.map((visit) => visit.messageId);
  // A file may not grow for ever here: each refusal is followed by a new one.
  await spool.add(visits).then(
    () => taken.push(...ids),
    () => process.stdout.write('refused '),
  );
}
const back: number[] = [];
for (let file = await spool.take(); file !== undefined; file = await spool.take()) {
  back.push(...file.visits.map(({ messageId }) => messageId));
  await file.done([]);
}
process.stdout.write(
  JSON.stringify(back) === JSON.stringify(taken) ? 'exact' : `${taken.join()} but ${back.join()}`,
);
