/**
 * Sealing bytes: a key number, a truncated HMAC-SHA256 and the payload. What does not verify is `undefined`, whatever it
 * is: reading a stranger's token must never throw and never tell, by its time either, what was wrong with it.
 */
import { timingSafeEqual } from 'node:crypto';
import { type Hmac, hmacSha256 } from './hmac.ts';
import type { KeyPurpose, SecretKeys } from './keys.ts';

export interface SealKind {
  readonly purpose: KeyPurpose;
  /** One character that goes into the MAC: kinds that share a key are never taken for one another. */
  readonly mark: string;
  /** At least 10: 80 bits, which leave no hope of guessing one over a network. */
  readonly macBytes: number;
}

export function seal(keys: SecretKeys, kind: SealKind, payload: Buffer): Buffer {
  const key = keys.key(kind.purpose, keys.current);
  if (key === undefined) throw new RangeError('the current key is not there');
  return Buffer.concat([Buffer.of(keys.current), mac(key, kind, payload), payload]);
}

/** @returns the payload, undefined if it was not sealed as this kind with one of our keys */
export function unseal(keys: SecretKeys, kind: SealKind, sealed: Buffer): Buffer | undefined {
  const payloadStart = 1 + kind.macBytes;
  const number = sealed[0];
  if (number === undefined || sealed.length < payloadStart) return undefined;
  const key = keys.key(kind.purpose, number);
  if (key === undefined) return undefined;
  const payload = sealed.subarray(payloadStart);
  return timingSafeEqual(mac(key, kind, payload), sealed.subarray(1, payloadStart)) ? payload : undefined;
}

/** A key is made once (`keys.ts`), and what is worked out from it with it. */
const hmacs = new WeakMap<Buffer, Hmac>();

function mac(key: Buffer, { mark, macBytes }: SealKind, payload: Buffer): Buffer {
  let hmac = hmacs.get(key);
  if (hmac === undefined) {
    hmac = hmacSha256(key);
    hmacs.set(key, hmac);
  }
  return Buffer.from(hmac(mark, payload).slice(0, macBytes), 'latin1');
}
