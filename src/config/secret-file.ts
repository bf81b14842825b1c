/** The secret of a data folder: made at first start, readable by its owner alone, never printed. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the folder's secrets, oldest first (one a line in the file). */
export function readOrMakeSecrets(dataFolder: string): string[] {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const file = join(dataFolder, 'secret.key');
  try {
    // 'wx' lets one of two processes that start together make the file; the other reads what it wrote.
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return splitSecrets(readFileSync(file, 'utf8'));
}

/** Several secrets stand one a line or with commas between, oldest first. */
export function splitSecrets(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
