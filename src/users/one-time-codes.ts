/**
 * The second factor: six digits that change every 30 seconds (TOTP, RFC 6238, in the form that every authenticator
 * reads). Knows no user; that a code is taken once is the store's business.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Random } from '../platform/clock.ts';

const stepMs = 30_000;
const secretBytes = 20;
/** A clock that is off by one step either way is still believed (RFC 6238, section 5.2). */
const stepsOff = [0, -1, 1] as const;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** In base32, as authenticators take it. */
export function newTotpSecret(random: Random): string {
  return [...random.bytes(secretBytes)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .replaceAll(/.{5}/g, (bits) => alphabet[Number.parseInt(bits, 2)] ?? '');
}

/** What an authenticator reads from a QR code or a link. */
export function totpUri(secret: string, email: string): string {
  return `otpauth://totp/Aftersend:${encodeURIComponent(email)}?secret=${secret}&issuer=Aftersend`;
}

/** @returns the step that the code belongs to, undefined if it fits none that may be used now */
export function totpStep(secret: string, code: string, nowMs: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const now = Math.floor(nowMs / stepMs);
  return stepsOff
    .map((off) => now + off)
    .find((step) => timingSafeEqual(Buffer.from(codeAt(secret, step)), Buffer.from(code)));
}

function codeAt(secret: string, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secretOf(secret)).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}

function secretOf(base32: string): Buffer {
  const bits = Array.from(base32)
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
