/**
 * Moving a data folder into an empty database: every table in batches, then everything is read back and compared, then
 * the counters. It changes nothing in the folder but for the sign that it is moved. Run again after it broke off, it goes
 * on where it was.
 */
import type { Clock, Random } from '../../platform/clock.ts';
import { StoreUnusableError } from '../contract/store.ts';
import { storable } from '../postgres/database.ts';
import { fingerprintName } from '../sql/identity.ts';
import { type MovedSign, readMovedSign, removeMovedSign, whyMoved, writeMovedSign } from '../sqlite/moved.ts';
import { FolderUnusableError } from '../sqlite/open.ts';
import { planRanges } from './plan-ranges.ts';
import { Source } from './source.ts';
import { keyOf, type Table, type Values } from './tables.ts';
import { type Counters, Target } from './target.ts';
import { isSame, type Tally, tally } from './tally.ts';

export interface MoveOptions {
  readonly dataFolder: string;
  readonly url: string;
  /** The database for a person, without a password. */
  readonly to: string;
  /** Of the secret that the services will have. */
  readonly fingerprint: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly tell: (step: MoveStep) => void;
}

export type MoveStep =
  | { readonly kind: 'begins' | 'goes on' | 'checks' }
  | {
      readonly kind: 'copying' | 'checking' | 'checked';
      readonly table: string;
      readonly rows: number;
      readonly of: number;
    };

export interface Moved {
  /** Everything was there already: nothing was done. */
  readonly isOld: boolean;
  readonly tables: Readonly<Record<string, Tally>>;
  /** How many of the bodies stay in an object store. */
  readonly objectBodies: number;
}

/**
 * @throws FolderLockedError, FolderUnusableError, StoreUnusableError saying what is in the way, StoreBusyError when the
 *   database went away: then it can be run again
 */
export async function move(options: MoveOptions): Promise<Moved> {
  const { dataFolder, clock, tell } = options;
  using source = Source.open(dataFolder);
  requireSecret(source, options);
  await using target = await Target.open(options.url, clock);
  await target.requireColumns(source.tables);
  if ((await begin(source, target, options)) === 'was done') {
    noteDone(options, target);
    return { isOld: true, ...contentsOf(source, target) };
  }
  if (!target.state.hasRanges) await target.makeRanges(planRanges(source));
  for (const table of source.tables) await copy(source, target, table, tell);
  tell({ kind: 'checks' });
  for (const table of source.tables) await check(source, target, table, tell);
  await target.analyze(source.tables);
  await target.finish(countersOf(source, clock.now()));
  noteDone(options, target);
  return { isOld: false, ...contentsOf(source, target) };
}

function requireSecret(source: Source, { dataFolder, fingerprint }: MoveOptions): void {
  const own = source.fact(fingerprintName);
  if (own === undefined || own === fingerprint) return;
  throw new FolderUnusableError(
    `the data in ${dataFolder} were written with another secret than the one that is set: links and passwords in them would be worth nothing`,
  );
}

/** Finds the move that was begun before, or begins one. */
async function begin(source: Source, target: Target, options: MoveOptions): Promise<'is open' | 'was done'> {
  const { dataFolder, tell } = options;
  const sign = readMovedSign(dataFolder);
  const found = await target.resume();
  if (found !== undefined && found.id !== sign?.id) {
    throw new StoreUnusableError(
      'the database holds what was moved from another folder, or from this one as it was before: a move needs an empty one',
    );
  }
  if (found !== undefined && found.doneAtMs !== null) return 'was done';
  if (found === undefined) await beginAnew(source, target, sign, options);
  if (!target.state.isReady) await makeReady(source, target, options);
  tell({ kind: found === undefined ? 'begins' : 'goes on' });
  return 'is open';
}

/** From here on nobody serves the folder, and then nobody the database. */
async function beginAnew(
  source: Source,
  target: Target,
  sign: MovedSign | undefined,
  { dataFolder, to, fingerprint, clock, random }: MoveOptions,
): Promise<void> {
  if (sign !== undefined && (sign.doneAtMs !== null || sign.to !== to)) {
    throw new FolderUnusableError(`the data folder ${dataFolder} cannot be moved: ${whyMoved(dataFolder)}`);
  }
  await target.requireEmpty(source.tables, fingerprint);
  const id = sign?.id ?? random.bytes(12).toString('base64url');
  const begunAtMs = clock.now();
  writeMovedSign(dataFolder, { id, to, begunAtMs, doneAtMs: null });
  await unlessRefused(target.begin(id, begunAtMs), () => removeMovedSign(dataFolder));
}

/** Only now that nobody can come any more it is known whether somebody is there. If so, nothing was begun. */
async function makeReady(
  source: Source,
  target: Target,
  { dataFolder, fingerprint, clock }: MoveOptions,
): Promise<void> {
  const look = async () => {
    await target.requireAlone(clock.now());
    await target.requireEmpty(source.tables, fingerprint);
  };
  await unlessRefused(look(), async () => {
    await target.giveUp();
    removeMovedSign(dataFolder);
  });
  await target.makeReady();
}

/** @param undo when it is certain that nothing was begun: of a server that is away nobody knows what it has done */
async function unlessRefused(work: Promise<void>, undo: () => void | Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StoreUnusableError) await undo();
    throw error;
  }
}

const stored = (row: Values): Values =>
  row.map((value) => (typeof value === 'string' ? storable(value) : value));

async function copy(source: Source, target: Target, table: Table, tell: MoveOptions['tell']): Promise<void> {
  let progress = target.progress(table);
  if (progress.isWhole) return;
  const of = source.count(table);
  // One batch is written while the next one is read.
  let written: Promise<void> = Promise.resolve();
  for (const batch of source.batches(table, progress.key)) {
    const rows = batch.map(stored);
    // The key as the folder has it: it is the folder that is read on from there.
    progress = { ...tally(progress, rows), key: keyOf(table, batch.at(-1) ?? []), isWhole: false };
    await written;
    written = target.write(table, rows, progress);
    written.catch(() => undefined);
    if (progress.rows < of) tell({ kind: 'copying', table: table.name, rows: progress.rows, of });
  }
  await written;
  await target.write(table, [], { ...progress, isWhole: true });
  tell({ kind: 'copying', table: table.name, rows: progress.rows, of });
}

/** Holds what stands there to what the folder has: how many, and the sum of what each row came with. */
async function check(source: Source, target: Target, table: Table, tell: MoveOptions['tell']): Promise<void> {
  const { sum } = target.progress(table);
  const wanted = { rows: source.count(table), sum };
  const { name } = table;
  const found = await target.tally(table, (rows) =>
    tell({ kind: 'checking', table: name, rows, of: wanted.rows }),
  );
  if (!isSame(found, wanted)) {
    throw new StoreUnusableError(
      `${name} is not the same there: ${found.rows} rows, sum ${found.sum}; it should be ${wanted.rows} rows, sum ${sum}`,
    );
  }
  tell({ kind: 'checked', table: name, rows: found.rows, of: wanted.rows });
}

function countersOf(source: Source, atMs: number): Counters {
  const { events = 0, leases = 0, submissions = 0, ...others } = Object.fromEntries(source.sequences());
  // There, a submission has the id of its first message: it must be greater than those that came before.
  const messages = Math.max(others['messages'] ?? 0, submissions);
  const sequences = new Map(Object.entries({ ...others, messages }).filter(([, last]) => last > 0));
  const counted = source.tables.filter(({ key }) => key.length === 1 && key[0] === 'id');
  const lastIds = new Map(counted.map((table) => [table.name, source.lastGivenId(table)]));
  const fingerprint = source.fact(fingerprintName);
  return { sequences, lastEventId: events, lastLease: leases, lastIds, fingerprint, atMs };
}

function noteDone({ dataFolder, to }: MoveOptions, { state }: Target): void {
  const { id, begunAtMs, doneAtMs } = state;
  writeMovedSign(dataFolder, { id, to, begunAtMs, doneAtMs });
}

function contentsOf(source: Source, target: Target): Omit<Moved, 'isOld'> {
  const tallies = source.tables.map((table) => {
    const { rows, sum } = target.progress(table);
    return [table.name, { rows, sum }] as const;
  });
  return { tables: Object.fromEntries(tallies), objectBodies: source.countObjectBodies() };
}
