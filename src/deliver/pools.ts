/** From which of our addresses, and under which name, a message goes out: pools of sources, by account or tag. */
import { isIP } from 'node:net';

export interface Source {
  /** Bound to; '' leaves the choice to the system. */
  readonly address: string;
  /** Said in EHLO: the name that the address has in DNS. */
  readonly ehloName: string;
}

export interface Pool {
  readonly name: string;
  readonly sources: readonly Source[];
}

/** The first rule that fits decides. */
export interface PoolRule {
  readonly kind: 'account' | 'tag' | 'any';
  /** Of the account or tag. */
  readonly of: string;
  readonly pool: string;
}

export type PoolOf = (message: { readonly account: string; readonly tags: readonly string[] }) => Pool;

/** @param fallback for messages that no rule is for */
export function createPools(pools: readonly Pool[], rules: readonly PoolRule[], fallback: Pool): PoolOf {
  return ({ account, tags }) => {
    const rule = rules.find(
      ({ kind, of }) => kind === 'any' || (kind === 'account' ? of === account : tags.includes(of)),
    );
    return pools.find(({ name }) => name === rule?.pool) ?? fallback;
  };
}

/** The pool's sources that can reach an address: those of its family. */
export function sourcesFor({ sources }: Pool, address: string): readonly Source[] {
  return sources.filter((source) => source.address === '' || isIP(source.address) === isIP(address));
}
