/**
 * Whose servers take a domain's mail: known by its name or learnt from where mail to it went, kept by the store, and some
 * of it in memory. Learns only where the host in an event is the recipient's MX; a smarthost's name says nothing of it.
 */
import type { Clock } from '../platform/clock.ts';
import { BoundedMap } from '../platform/failure-meter.ts';
import { providerOfDomain, providerOfHost } from '../mail/providers.ts';
import type { StatisticsStore, UncountedEvent } from '../store/contract/statistics.ts';
import { detailOf, domainOf } from './count.ts';

/** What is known is noted again after so long: what is not seen any more is forgotten some day. */
const noteAgainMs = 30 * 86_400_000;

interface Known {
  /** '' for a domain of which nothing is known. */
  readonly provider: string;
  readonly notedAtMs: number;
}

export interface KnownProviders {
  /** Of the batch's domains. */
  readonly providers: ReadonlyMap<string, string>;
  /** What is new, or was noted long ago. */
  readonly news: readonly { readonly domain: string; readonly provider: string }[];
}

export class Providers {
  readonly #store: Pick<StatisticsStore, 'providersOf'>;
  readonly #clock: Clock;
  readonly #hostsAreMx: boolean;
  readonly #known = new BoundedMap<string, Known>();

  constructor(parts: { store: Pick<StatisticsStore, 'providersOf'>; clock: Clock; hostsAreMx: boolean }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#hostsAreMx = parts.hostsAreMx;
  }

  async of(events: readonly UncountedEvent[]): Promise<KnownProviders> {
    const domains = new Set(events.map(({ recipient }) => domainOf(recipient)));
    const seen = this.#hostsAreMx ? hostsOf(events) : new Map<string, string>();
    for (const domain of domains) {
      const provider = providerOfDomain(domain);
      if (provider !== undefined) seen.set(domain, provider);
    }
    const unknown = [...domains].filter((domain) => !this.#known.has(domain));
    const stored = await this.#store.providersOf(unknown);
    for (const domain of unknown)
      this.#known.set(domain, { provider: stored.get(domain) ?? '', notedAtMs: 0 });

    const nowMs = this.#clock.now();
    const providers = new Map<string, string>();
    const news: { domain: string; provider: string }[] = [];
    for (const domain of domains) {
      const known = this.#known.get(domain);
      const provider = seen.get(domain) ?? known?.provider ?? stored.get(domain) ?? '';
      if (provider !== '') providers.set(domain, provider);
      const isOld = provider !== '' && nowMs - (known?.notedAtMs ?? 0) > noteAgainMs;
      const isNews = provider !== (known?.provider ?? '') || isOld;
      if (!seen.has(domain) || !isNews) continue;
      news.push({ domain, provider });
      this.#known.set(domain, { provider, notedAtMs: nowMs });
    }
    return { providers, news };
  }
}

/** Whose servers answered, '' for nobody's that is known, by the recipient's domain. */
function hostsOf(events: readonly UncountedEvent[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const event of events) {
    const { host = '', refused = true, late = false } = detailOf(event);
    if (host === '' || late || !refused) continue;
    found.set(domainOf(event.recipient), providerOfHost(host) ?? '');
  }
  return found;
}
