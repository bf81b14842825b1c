/**
 * Passwords of people: hashed with argon2id (RFC 9106) and written as a PHC string, so that its costs can grow later. Few
 * run at a time, for each takes memory; what waits is bounded. Never keeps or tells a password.
 */
import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../platform/clock.ts';

export const minPasswordChars = 10;
export const maxPasswordChars = 200;

/** 19 MiB and two passes: about 25 ms of one core. */
const costs = { memory: 19 * 1024, passes: 2, parallelism: 1, tagLength: 32 } as const;
const saltBytes = 16;
/** Each takes a thread of the pool that files and DNS use as well. */
const maxRunning = 2;
const maxWaiting = 100;

const derive = promisify(argon2);

/** More people sign in than can be checked: come back in a moment. */
export class PasswordsBusyError extends Error {
  override readonly name = 'PasswordsBusyError';
}

export interface Passwords {
  /** @throws PasswordsBusyError */
  hash(password: string): Promise<string>;
  /**
   * Takes as long for `undefined` (there is no such user) as for a wrong password.
   * @throws PasswordsBusyError
   */
  fits(password: string, hash: string | undefined): Promise<boolean>;
}

export function passwords(random: Random): Passwords {
  const turns = new Turns();
  const tagOf = (password: string, salt: Buffer, { memory, passes, parallelism }: Costs) =>
    turns.run(() =>
      // The same letters typed on another keyboard are the same password.
      derive('argon2id', {
        message: password.normalize('NFKC'),
        nonce: salt,
        memory,
        passes,
        parallelism,
        tagLength: costs.tagLength,
      }),
    );
  const nobody = { ...costs, salt: random.bytes(saltBytes), tag: random.bytes(costs.tagLength) };
  return {
    async hash(password) {
      const salt = random.bytes(saltBytes);
      const tag = await tagOf(password, salt, costs);
      const { memory, passes, parallelism } = costs;
      return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;
    },
    async fits(password, hash) {
      const stored = hash === undefined ? nobody : read(hash);
      const tag = await tagOf(password, stored.salt, stored);
      return timingSafeEqual(tag, stored.tag) && hash !== undefined;
    },
  };
}

interface Costs {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

function read(hash: string): Costs & { readonly salt: Buffer; readonly tag: Buffer } {
  const parts = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(hash);
  if (parts === null) throw new Error('a stored password is no argon2id hash');
  const [, memory, passes, parallelism, salt = '', tag = ''] = parts;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

/** Lets few work at a time; the others wait in the order in which they came. */
class Turns {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= maxRunning) {
      if (this.#waiting.length >= maxWaiting) throw new PasswordsBusyError('too many sign-ins at once');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      // The place goes to who waits longest, or is given back.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
