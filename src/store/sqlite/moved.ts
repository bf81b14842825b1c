/**
 * The sign in a data folder that what it holds is being moved to a database, or was. Nobody serves the folder then: the
 * same mail would go out twice, from here and from there.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export interface MovedSign {
  /** The same in the database: of this folder's state, as it was when the sign was set. */
  readonly id: string;
  /** For a person. */
  readonly to: string;
  readonly begunAtMs: number;
  /** Null as long as something is missing there. */
  readonly doneAtMs: number | null;
}

const signFile = (dataFolder: string): string => join(dataFolder, 'moved.json');

export function readMovedSign(dataFolder: string): MovedSign | undefined {
  const file = signFile(dataFolder);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MovedSign) : undefined;
}

export function writeMovedSign(dataFolder: string, sign: MovedSign): void {
  const file = signFile(dataFolder);
  // Written whole, then given its name: a crash leaves the old one.
  writeFileSync(`${file}.new`, `${JSON.stringify(sign)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
  // The database says so next: nothing may be lost here then, not by a loss of power either.
  const folder = openSync(dataFolder, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

export function removeMovedSign(dataFolder: string): void {
  rmSync(signFile(dataFolder), { force: true });
}

/** @returns why nobody may use the folder, and what can be done; undefined if it has no sign */
export function whyMoved(dataFolder: string): string | undefined {
  const sign = readMovedSign(dataFolder);
  if (sign === undefined) return undefined;
  const file = signFile(dataFolder);
  return sign.doneAtMs === null
    ? `it is being moved to ${sign.to}: run 'aftersend move' again to finish that. To give it up, remove ${file} and empty that database`
    : `it was moved to ${sign.to}: set AFTERSEND_DATABASE_URL. To go back to what it was then, stop all services there and remove ${file}`;
}
