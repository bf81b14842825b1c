/**
 * DKIM keys of a sending domain: made here, sealed before anything else sees them, opened only to sign. Which of them
 * sign is decided by what was seen published, so that a rotation never signs with a key that nobody can look up.
 */
import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../platform/clock.ts';
import type { NewSigningKey, SigningAlgorithm, SigningKey } from '../store/contract/domains.ts';
import { toBase32 } from '../tokens/base32.ts';
import type { Seal } from '../tokens/sealed-secret.ts';

const rsaBits = 2048;
const ed25519KeyBytes = 32;
/** Selectors of different services, and of different years, meet in one zone. */
const selectorBytes = 5;

const generate = promisify(generateKeyPair);

/** A fresh pair of each algorithm, with selectors of their own. */
export async function newSigningKeys(
  domain: string,
  { seal, random }: { seal: Seal; random: Random },
): Promise<readonly NewSigningKey[]> {
  const name = `as-${toBase32(random.bytes(selectorBytes))}`;
  const rsa = await generate('rsa', { modulusLength: rsaBits });
  const ed25519 = await generate('ed25519', {});
  const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
  const keyOf = (selector: string, algorithm: SigningAlgorithm, publicKey: Buffer, secret: KeyObject) => ({
    selector,
    algorithm,
    publicKey: publicKey.toString('base64'),
    sealedPrivateKey: seal.close(
      secret.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
      ownerOf(domain, selector),
    ),
  });
  return [
    keyOf(`${name}-rsa`, 'rsa-sha256', spki(rsa.publicKey), rsa.privateKey),
    // RFC 8463 section 4: the bare key, without what SPKI puts before it.
    keyOf(
      `${name}-ed`,
      'ed25519-sha256',
      spki(ed25519.publicKey).subarray(-ed25519KeyBytes),
      ed25519.privateKey,
    ),
  ];
}

/** @throws when it was sealed under another secret or for another domain */
export function openPrivateKey(
  domain: string,
  { selector, sealedPrivateKey }: SigningKey,
  seal: Seal,
): KeyObject {
  const key = Buffer.from(seal.open(sealedPrivateKey, ownerOf(domain, selector)), 'base64');
  return createPrivateKey({ key, type: 'pkcs8', format: 'der' });
}

const ownerOf = (domain: string, selector: string): string => `dkim ${selector} ${domain}`;

/**
 * The keys that mail is signed with: those whose record was seen and that no newer one replaced. Before anything was
 * seen, the newest: nobody can check them yet, and in the simulator nobody needs to.
 * @param keys newest first
 */
export function keysThatSign(keys: readonly SigningKey[]): readonly SigningKey[] {
  const standing = keys.filter(({ retiredAtMs }) => retiredAtMs === undefined);
  const seen = standing.filter(({ seenAtMs }) => seenAtMs !== undefined);
  const firstOfEach = (list: readonly SigningKey[]) =>
    list.filter((key, index) => list.findIndex(({ algorithm }) => algorithm === key.algorithm) === index);
  return firstOfEach(seen.length > 0 ? seen : standing);
}
