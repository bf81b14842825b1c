/**
 * Standard Webhooks signatures (standardwebhooks.com, specification 1.0): what is signed is `id.timestamp.body`, so
 * that neither an old request nor another's body can be passed off as a new one.
 */
import { createHmac } from 'node:crypto';

const prefix = 'whsec_';
const secretBytes = 32;

/** A new secret as the receiver's library wants it. */
export function makeSecret(random: { bytes(count: number): Buffer }): string {
  return prefix + random.bytes(secretBytes).toString('base64');
}

/** The key inside a secret. */
export function signingKey(secret: string): Buffer {
  return Buffer.from(secret.slice(prefix.length), 'base64');
}

/** The three headers of a signed request, as name and value in turn. */
export function signatureHeaders(key: Buffer, id: string, nowMs: number, body: Buffer): string[] {
  const timestamp = Math.floor(nowMs / 1000);
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return ['webhook-id', id, 'webhook-timestamp', `${timestamp}`, 'webhook-signature', `v1,${mac}`];
}
