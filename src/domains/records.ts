/** The DNS records that a sending domain's owner publishes, exactly as they have to stand there. Pure. */
import { isIP } from 'node:net';
import { bounceHostOf } from '../tokens/links.ts';
import type { SendingDomain, SigningKey } from '../store/contract/domains.ts';

export const recordPurposes = ['dkim', 'spf', 'dmarc', 'return-path', 'tracking'] as const;
type RecordPurpose = (typeof recordPurposes)[number];

export interface DomainRecord {
  readonly purpose: RecordPurpose;
  readonly type: 'TXT' | 'CNAME';
  /** Without a dot at its end. */
  readonly name: string;
  readonly value: string;
  /** Mail is refused without it. */
  readonly required: boolean;
  /** For a person: what it is for, and what to do where something stands already. */
  readonly note: string;
  /** The key that it publishes. */
  readonly keyId?: number;
}

/** Names of this service. */
export interface OurNames {
  /** Where mail goes out and bounces come back. */
  readonly hostname: string;
  /** The host of the public URL. */
  readonly publicHost: string;
}

/**
 * @param keys newest first; retired ones are no longer asked for
 * @param trackingHost the account's own, undefined if it has none: then a name is proposed
 */
export function recordsToPublish(
  { name }: Pick<SendingDomain, 'name'>,
  keys: readonly SigningKey[],
  { hostname, publicHost }: OurNames,
  trackingHost: string | undefined,
): readonly DomainRecord[] {
  const dkim = keys
    .filter(({ retiredAtMs }) => retiredAtMs === undefined)
    .map(
      (key): DomainRecord => ({
        purpose: 'dkim',
        type: 'TXT',
        name: `${key.selector}._domainkey.${name}`,
        value: `v=DKIM1; k=${key.algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519'}; p=${key.publicKey}`,
        required: key.algorithm === 'rsa-sha256',
        note: 'The key that receivers check signatures with; it shows that the domain is yours.',
        keyId: key.id,
      }),
    );
  return [
    ...dkim,
    {
      purpose: 'spf',
      type: 'TXT',
      name,
      value: `v=spf1 include:${hostname} ~all`,
      required: false,
      note: `A domain has one SPF record: where there is one, add include:${hostname} to it.`,
    },
    {
      purpose: 'dmarc',
      type: 'TXT',
      name: `_dmarc.${name}`,
      value: 'v=DMARC1; p=none',
      required: false,
      note: 'What receivers do with mail that only claims to be yours. One that is there already stays as it is.',
    },
    {
      purpose: 'return-path',
      type: 'CNAME',
      name: bounceHostOf(name),
      value: hostname,
      required: false,
      note: 'Bounces come back by your own name, so that SPF passes for it.',
    },
    ...tracking(name, publicHost, trackingHost),
  ];
}

/** An alias leads to a name: while the public URL has an address in its place there is nothing to publish. */
function tracking(name: string, publicHost: string, trackingHost: string | undefined): DomainRecord[] {
  if (isIP(publicHost.replaceAll(/[[\]]/g, '')) !== 0) return [];
  return [
    {
      purpose: 'tracking',
      type: 'CNAME',
      name: trackingHost?.endsWith(`.${name}`) ? trackingHost : `track.${name}`,
      value: publicHost,
      required: false,
      note: 'A name of your own for tracked links, once the account is set to it.',
    },
  ];
}

/** A character-string of a TXT record holds no more (RFC 1035 section 3.3). */
const characterString = 255;

/** The record as a line of a zone file. */
export function zoneLine({ name, type, value }: DomainRecord): string {
  if (type === 'CNAME') return `${name}. IN CNAME ${value}.`;
  const strings = value.match(new RegExp(`.{1,${characterString}}`, 'g')) ?? [''];
  return `${name}. IN TXT ${strings.map((text) => JSON.stringify(text)).join(' ')}`;
}
