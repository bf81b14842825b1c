/**
 * The one secret and what is derived from it. Every purpose has its own key (HKDF-SHA256, RFC 5869), so that a token
 * made for one purpose never verifies for another. A key has a number, and old numbers still verify after a rotation.
 */
import { createHash, hkdfSync } from 'node:crypto';

/** What a derived key is for. The name goes into the derivation: changing one makes every old token of it invalid. */
export type KeyPurpose =
  | 'track'
  | 'unsubscribe'
  | 'return-path'
  | 'feedback'
  | 'message-id'
  | 'store-secrets'
  | 'receiver';

export interface SecretKeys {
  /** The number new tokens are made with, 0 to 255. */
  readonly current: number;
  /** The 32-byte key of a purpose and number, or undefined for a number that was never issued. */
  key(purpose: KeyPurpose, number: number): Buffer | undefined;
  /** Tells one secret from another without telling the secret. */
  readonly fingerprint: string;
}

/**
 * @param secrets oldest first: the last one makes new tokens. Each at least 32 bytes, in base64url or hex, or any
 *   text of at least 32 characters.
 */
export function deriveKeys(secrets: readonly string[]): SecretKeys {
  const current = secrets.length - 1;
  if (current < 0 || current > 255) throw new RangeError('one to 256 secrets are needed');
  const cache = new Map<string, Buffer>();
  return {
    current,
    key(purpose, number) {
      const secret = secrets[number];
      if (secret === undefined) return undefined;
      const name = `${purpose}/${number}`;
      let key = cache.get(name);
      if (key === undefined) {
        key = Buffer.from(hkdfSync('sha256', secret, 'aftersend', name, 32));
        cache.set(name, key);
      }
      return key;
    },
    fingerprint: createHash('sha256')
      .update(`aftersend/fingerprint/${secrets[0] ?? ''}`)
      .digest('hex')
      .slice(0, 16),
  };
}
