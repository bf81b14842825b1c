/**
 * Secrets as they are stored (of webhook endpoints, private DKIM keys): encrypted with a key derived from the service's
 * secret, so that a copy of the database alone signs nothing. What seals is AES-256-GCM with a random 96-bit nonce.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../platform/clock.ts';
import type { SecretKeys } from './keys.ts';

const nonceBytes = 12;
const tagBytes = 16;

export interface Seal {
  /** @param owner what the secret belongs to: it opens for nothing else */
  close(secret: string, owner: string): string;
  /** @throws when it was closed under another service's secret, for another owner, or was changed */
  open(sealed: string, owner: string): string;
}

export function createSeal(keys: SecretKeys, random: Random): Seal {
  const keyOf = (number: number): Buffer => {
    const key = keys.key('store-secrets', number);
    if (key === undefined)
      throw new Error(`a stored secret needs key ${number}, which this service does not have`);
    return key;
  };
  return {
    close(secret, owner) {
      const nonce = random.bytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(keys.current), nonce).setAAD(Buffer.from(owner));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return `${keys.current}.${Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open(sealed, owner) {
      const [number = '', box = ''] = sealed.split('.');
      const bytes = Buffer.from(box, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', keyOf(Number(number)), bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(-tagBytes));
      const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
  };
}
