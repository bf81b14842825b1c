/**
 * Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0): what is signed is `id.timestamp.body`, so
 * that neither an old request nor another's body can be passed off as a new one. Keys for it, and for dialects that have
 * a signature of their own.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign as signWith } from 'node:crypto';
import type { Random } from '../platform/clock.ts';
import type { WebhookKey } from '../store/contract/webhooks.ts';
import { type Hmac, hmacSha256 } from '../tokens/hmac.ts';
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
      const pair = privateKeyOf(Buffer.concat([ed25519Head, seed]));
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
type SigningKey = { readonly expiresAtMs: number } & (
  | { readonly kind: 'v1'; readonly hmac: Hmac }
  | { readonly kind: 'v1a' | 'ecdsa-p256'; readonly key: KeyObject }
);

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
    this.#keys = keys.map(({ key, secret }) => opened(key, secret));
  }

  /** The headers of a signed request, as name and value in turn. */
  headers(id: string, nowMs: number, body: Buffer): string[] {
    const timestamp = `${Math.floor(nowMs / 1000)}`;
    const signatures: string[] = [];
    const own: string[] = [];
    for (const one of this.#keys) {
      if (one.expiresAtMs <= nowMs) continue;
      const head = `${id}.${timestamp}.`;
      if (one.kind === 'v1') {
        signatures.push(`v1,${one.hmac(head, body)}`);
      } else if (one.kind === 'v1a') {
        const signed = Buffer.concat([Buffer.from(head), body]);
        signatures.push(`v1a,${signWith(null, signed, one.key).toString('base64')}`);
      } else if (own.length === 0 && this.#own !== undefined) {
        own.push(...this.#own.headers({ timeMs: nowMs, body, key: one.key }));
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

function opened({ kind, expiresAtMs = Infinity }: WebhookKey, secret: string): SigningKey {
  switch (kind) {
    case 'v1':
      return {
        kind,
        hmac: hmacSha256(Buffer.from(secret.slice(hmacPrefix.length), 'base64'), 'base64'),
        expiresAtMs,
      };
    case 'v1a': {
      const seed = Buffer.from(secret.slice(privatePrefix.length), 'base64').subarray(0, secretBytes);
      return { kind, key: privateKeyOf(Buffer.concat([ed25519Head, seed])), expiresAtMs };
    }
    case 'ecdsa-p256':
      return { kind, key: privateKeyOf(Buffer.from(secret, 'base64')), expiresAtMs };
  }
}

const privateKeyOf = (der: Buffer): KeyObject => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
