/**
 * Sending domains: adding them with keys of our own making, showing what to publish, looking whether it is there,
 * rotating keys. Which door asks is nothing to it.
 */
import type { Clock, Random } from '../platform/clock.ts';
import type { Resolver } from '../platform/dns/resolver.ts';
import type { CreatedOr } from '../store/contract/accounts.ts';
import type { DomainStore, SendingDomain } from '../store/contract/domains.ts';
import type { Seal } from '../tokens/sealed-secret.ts';
import { newSigningKeys } from './keys.ts';
import { type Look, lookFor } from './look.ts';
import { type DomainRecord, type OurNames, recordsToPublish } from './records.ts';

export interface PublishedRecord extends DomainRecord {
  /** As it was when it was last looked for, undefined if it never was. */
  readonly look: Look | undefined;
}

export interface DomainStory {
  readonly domain: SendingDomain;
  readonly records: readonly PublishedRecord[];
}

export interface Domains {
  add(input: { accountId: number; name: string; requireTls: boolean }): Promise<CreatedOr<DomainStory>>;
  /** @returns undefined if the account has no such domain, as the next ones do */
  tell(accountId: number, domainId: number): Promise<DomainStory | undefined>;
  /** Looks at its records now. Those that need to be there and are make it verified. */
  verify(accountId: number, domainId: number): Promise<DomainStory | undefined>;
  /** Adds new keys; they sign once they are seen published, the older ones do until then. */
  rotate(accountId: number, domainId: number): Promise<DomainStory | undefined>;
}

interface Dependencies {
  readonly domains: DomainStore;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
  readonly names: OurNames;
  readonly trackingHostOf: (accountId: number) => Promise<string | undefined>;
  /** A new one each time that somebody looks: who has just published a record does not want to wait for a cache. */
  readonly freshResolver: () => Resolver;
}

/** A look as it is kept with its record. */
type KeptLook = readonly [name: string, value: string, look: Look];

export function createDomains({
  domains,
  seal,
  clock,
  random,
  names,
  trackingHostOf,
  freshResolver,
}: Dependencies): Domains {
  async function tell(accountId: number, domainId: number): Promise<DomainStory | undefined> {
    const domain = await domains.byId(accountId, domainId);
    return domain && story(domain);
  }

  async function story(domain: SendingDomain): Promise<DomainStory> {
    const keys = await domains.keys(domain.accountId, domain.id);
    const looks = JSON.parse(domain.checksJson) as readonly KeptLook[];
    const trackingHost = await trackingHostOf(domain.accountId);
    const records = recordsToPublish(domain, keys, names, trackingHost).map((record) => ({
      ...record,
      look: looks.find(([name, value]) => name === record.name && value === record.value)?.[2],
    }));
    return { domain, records };
  }

  return {
    tell,

    async add({ accountId, name, requireTls }) {
      const keys = await newSigningKeys(name, { seal, random });
      const result = await domains.add({ accountId, name, requireTls, keys, atMs: clock.now() });
      return result.kind === 'taken' ? result : { kind: 'created', value: await story(result.value) };
    },

    async verify(accountId, domainId) {
      const before = await tell(accountId, domainId);
      if (before === undefined) return undefined;
      const resolver = freshResolver();
      const looked = await Promise.all(
        before.records.map(async (record) => ({ record, look: await lookFor(record, resolver, names) })),
      );
      const found = looked.filter(({ look }) => look.state === 'found').map(({ record }) => record);
      const needed = looked.filter(({ record }) => record.required);
      // Where nobody answers nothing is known, and it stays as it was.
      const silent = needed.some(({ look }) => look.state === 'unknown');
      const asBefore = silent && before.domain.verifiedAtMs !== undefined;
      await domains.recordCheck({
        accountId,
        domainId,
        verified: asBefore || found.some(({ required }) => required),
        ownBounceHost: found.some(({ purpose }) => purpose === 'return-path'),
        seenKeyIds: found.flatMap(({ keyId }) => keyId ?? []),
        checksJson: JSON.stringify(
          looked.map(({ record: { name, value }, look }): KeptLook => [name, value, look]),
        ),
        atMs: clock.now(),
      });
      return tell(accountId, domainId);
    },

    async rotate(accountId, domainId) {
      const domain = await domains.byId(accountId, domainId);
      if (domain === undefined) return undefined;
      const keys = await newSigningKeys(domain.name, { seal, random });
      await domains.addKeys({ accountId, domainId, keys, atMs: clock.now() });
      return tell(accountId, domainId);
    },
  };
}
