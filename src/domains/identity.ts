/** As whom a message goes out: the sending domain of its From address, the keys that sign for it, its demands. */
import type { KeyObject } from 'node:crypto';
import type { DkimKey } from '../mail/dkim.ts';
import type { DomainStore, SigningKey } from '../store/contract/domains.ts';
import { bounceHostOf } from '../tokens/links.ts';
import type { Seal } from '../tokens/sealed-secret.ts';
import { keysThatSign, openPrivateKey } from './keys.ts';

export interface SenderIdentity {
  /** What signatures name (`d=`), '' if there is no such domain: the message goes unsigned. */
  readonly domain: string;
  readonly keys: readonly DkimKey[];
  /** Where return paths are, undefined for the service's own host. */
  readonly bounceHost: string | undefined;
  readonly requireTls: boolean;
}

export type IdentityOf = (accountId: number, sender: string) => Promise<SenderIdentity>;

const nobody: SenderIdentity = { domain: '', keys: [], bounceHost: undefined, requireTls: false };

/** Opening a key costs more than signing with it; oldest ones go first. */
const maxOpenKeys = 5000;

export function createIdentities({
  domains,
  seal,
}: {
  domains: Pick<DomainStore, 'ofSender' | 'keys'>;
  seal: Seal;
}): IdentityOf {
  const opened = new Map<number, KeyObject>();

  function privateKey(domain: string, key: SigningKey): KeyObject {
    const known = opened.get(key.id);
    if (known !== undefined) return known;
    for (const oldest of opened.keys()) {
      if (opened.size < maxOpenKeys) break;
      opened.delete(oldest);
    }
    const fresh = openPrivateKey(domain, key, seal);
    opened.set(key.id, fresh);
    return fresh;
  }

  return async (accountId, sender) => {
    const found = await domains.ofSender(accountId, sender.slice(sender.lastIndexOf('@') + 1));
    if (found === undefined) return nobody;
    const { id, name, verifiedAtMs, ownBounceHost, requireTls } = found;
    const keys = keysThatSign(await domains.keys(accountId, id));
    return {
      domain: name,
      keys: keys.map((key) => {
        const { selector, algorithm } = key;
        return { selector, algorithm, privateKey: privateKey(name, key) };
      }),
      bounceHost: verifiedAtMs !== undefined && ownBounceHost ? bounceHostOf(name) : undefined,
      requireTls,
    };
  };
}
