/**
 * Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0): what is signed is `id.timestamp.body`, so
 * that neither an old request nor another's body can be passed off as a new one. Keys for it, and for dialects that have
 * a signature of their own.
 */
import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from 'node:crypto';
import type { Random } from '../platform/clock.ts';
import type { WebhookKey } from '../store/contract/webhooks.ts';
import type { OwnSignature } from './dialects/contract/dialect.ts';

const hmacPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const publicPrefix = 'whpk_';
const secretBytes = 32;
/** PKCS #8 around an Ed25519 seed (RFC 8410, section 7): everything before the seed is always this. */
const ed25519Head = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface MadeKey {
  /** As it is stored, sealed by the caller. For `v1` it is what the receiver's library wants. */
  readonly secret: string;
  /** '' for a shared secret. */
  readonly publicKey: string;
}

export function makeKey(kind: WebhookKey['kind'], random: Pick<Random, 'bytes'>): MadeKey {
  switch (kind) {
    case 'v1':
      return { secret: hmacPrefix + random.bytes(secretBytes).toString('base64'), publicKey: '' };
    case 'v1a': {
      // Standard Webhooks: seed and public key, in base64, are the private key.
      const seed = random.bytes(secretBytes);
      const pair = createPrivateKey({
        key: Buffer.concat([ed25519Head, seed]),
        format: 'der',
        type: 'pkcs8',
      });
      const point = Buffer.from(pair.export({ format: 'jwk' }).x ?? '', 'base64url');
      return {
        secret: privatePrefix + Buffer.concat([seed, point]).toString('base64'),
        publicKey: publicPrefix + point.toString('base64'),
      };
    }
    case 'ecdsa-p256': {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      return {
        secret: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
        publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
      };
    }
  }
}

/** A key that is ready to sign. */
interface SigningKey {
  readonly kind: WebhookKey['kind'];
  readonly key: Buffer | KeyObject;
  readonly expiresAtMs: number;
}

/** All that signs the requests of an endpoint. */
export class Signer {
  readonly #keys: readonly SigningKey[];
  readonly #own: OwnSignature | undefined;

  /** @param keys those whose kind the endpoint signs with, with their opened secrets */
  constructor(
    keys: readonly { readonly key: WebhookKey; readonly secret: string }[],
    own: OwnSignature | undefined,
  ) {
    this.#own = own;
    this.#keys = keys.map(({ key, secret }) => ({
      kind: key.kind,
      key: opened(key.kind, secret),
      expiresAtMs: key.expiresAtMs ?? Infinity,
    }));
  }

  /** The headers of a signed request, as name and value in turn. */
  headers(id: string, nowMs: number, body: Buffer): string[] {
    const timestamp = `${Math.floor(nowMs / 1000)}`;
    const signatures: string[] = [];
    const own: string[] = [];
    for (const { kind, key, expiresAtMs } of this.#keys) {
      if (expiresAtMs <= nowMs) continue;
      if (kind === 'v1') {
        const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
        signatures.push(`v1,${mac}`);
      } else if (kind === 'v1a') {
        const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
        signatures.push(`v1a,${signWith(null, signed, key).toString('base64')}`);
      } else if (own.length === 0 && this.#own !== undefined) {
        own.push(...this.#own.headers({ timeMs: nowMs, body, key: key as KeyObject }));
      }
    }
    return [
      'webhook-id',
      id,
      'webhook-timestamp',
      timestamp,
      'webhook-signature',
      signatures.join(' '),
      ...own,
    ];
  }
}

function opened(kind: WebhookKey['kind'], secret: string): Buffer | KeyObject {
  switch (kind) {
    case 'v1':
      return Buffer.from(secret.slice(hmacPrefix.length), 'base64');
    case 'v1a': {
      const seed = Buffer.from(secret.slice(privatePrefix.length), 'base64').subarray(0, secretBytes);
      return createPrivateKey({ key: Buffer.concat([ed25519Head, seed]), format: 'der', type: 'pkcs8' });
    }
    case 'ecdsa-p256':
      return createPrivateKey({ key: Buffer.from(secret, 'base64'), format: 'der', type: 'pkcs8' });
  }
}
