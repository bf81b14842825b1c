/**
 * What a recipient's wish to leave, or to come back, does. It is in the store before it is answered, and needs nothing
 * but the token: also when the message is long gone.
 */
import type { Clock } from '../platform/clock.ts';
import type { EventLog } from '../store/contract/log.ts';
import { everyStream, type SuppressionStore } from '../store/contract/suppressions.ts';
import type { Subscription } from '../tokens/signed.ts';

export interface LeaveParts {
  readonly log: Pick<EventLog, 'report'>;
  readonly suppressions: Pick<SuppressionStore, 'add' | 'find' | 'remove' | 'settings'>;
  readonly clock: Clock;
}

/** The same wish may come any number of times. @param scope all mail of the account, or what the token names */
export async function leave(
  { accountId, messageId, recipient, stream }: Subscription,
  { scope, how }: { scope: 'stream' | 'all'; how: 'one-click' | 'page' },
  { log, suppressions, clock }: LeaveParts,
): Promise<void> {
  const atMs = clock.now();
  const left = scope === 'all' ? everyStream : stream;
  const result = await log.report({ type: 'unsubscribed', messageId, atMs, stream: left, how });
  if (result.kind === 'unknown' && (await suppressions.settings(accountId)).unsubscribes) {
    await suppressions.add({ accountId, recipient, stream: left, reason: 'unsubscribed', atMs });
  }
}

/** Takes back what `leave` did in either scope. What stands there for another reason stays. */
export async function comeBack(
  { accountId, recipient, stream }: Subscription,
  { suppressions }: LeaveParts,
): Promise<void> {
  for (const entry of await suppressions.find(accountId, recipient)) {
    if (entry.reason !== 'unsubscribed') continue;
    if (entry.stream !== stream && entry.stream !== everyStream) continue;
    await suppressions.remove({ accountId, recipient, stream: entry.stream });
  }
}
