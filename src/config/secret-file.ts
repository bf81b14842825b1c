/** The secret of a data folder: made at first start, readable by its owner alone, never printed. */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Characters: fewer can be guessed. */
export const shortestSecret = 32;

/** The message names the file, and shows nothing of what stands in it. */
export class SecretFileError extends Error {
  override readonly name = 'SecretFileError';
}

/**
 * @returns the folder's secrets, oldest first (one a line in the file)
 * @throws SecretFileError
 */
export function readOrMakeSecrets(dataFolder: string): string[] {
  const file = join(dataFolder, 'secret.key');
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    if (!existsSync(file)) make(file);
    return goodSecrets(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new SecretFileError(`the secret in ${file} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function make(file: string): void {
  // Written whole, then given its name: a full disk or a crash leaves no half a secret behind.
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const secret = `${randomBytes(shortestSecret).toString('base64url')}\n`;
    writeFileSync(draft, secret, { mode: 0o600, flag: 'wx', flush: true });
    // Fails if the name is taken: of two processes that start together, the other reads what the first has made.
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function goodSecrets(text: string): string[] {
  const secrets = splitSecrets(text);
  if (secrets.length === 0 || secrets.some((secret) => secret.length < shortestSecret)) {
    throw new Error(`a secret of ${shortestSecret} characters or more is expected in each line`);
  }
  return secrets;
}

/** Several secrets stand one a line or with commas between, oldest first. */
export function splitSecrets(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
