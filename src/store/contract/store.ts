/**
 * What the rest of the program asks of a store, in the words of the domain. Two stores keep this contract; one
 * conformance suite (`store/conformance/`) holds both to it.
 *
 * A promise of a write resolves only after its commit is durable. Reads see every write whose promise has resolved.
 * Accounts are part of every question: nobody reads or changes another account's things by an id alone.
 */
import type { AccountStore } from './accounts.ts';
import type { DomainStore } from './domains.ts';
import type { IdentityStore } from './identity.ts';
import type { IntakeStore } from './intake.ts';
import type { EventLog } from './log.ts';
import type { MailSettingsStore } from './mail-settings.ts';
import type { MessageStore } from './messages.ts';
import type { PaceStore } from './paces.ts';
import type { QueueStore } from './queue.ts';
import type { ReportStore } from './reports.ts';
import type { RetentionStore } from './retention.ts';
import type { SimulatorStore } from './simulator.ts';
import type { StatisticsStore } from './statistics.ts';
import type { SuppressionStore } from './suppressions.ts';
import type { TemplateStore } from './templates.ts';
import type { UserStore } from './users.ts';
import type { ReplayStore, WebhookStore } from './webhooks.ts';

export interface Store extends AsyncDisposable {
  readonly identity: IdentityStore;
  readonly accounts: AccountStore;
  readonly intake: IntakeStore;
  readonly queue: QueueStore;
  readonly paces: PaceStore;
  readonly log: EventLog;
  readonly messages: MessageStore;
  readonly suppressions: SuppressionStore;
  readonly domains: DomainStore;
  readonly templates: TemplateStore;
  readonly mailSettings: MailSettingsStore;
  readonly reports: ReportStore;
  readonly retention: RetentionStore;
  readonly webhooks: WebhookStore;
  readonly replays: ReplayStore;
  readonly users: UserStore;
  readonly simulator: SimulatorStore;
  readonly statistics: StatisticsStore;
}

/** Too much waits to be written: the caller should answer "later" (503, 451) and lose nothing by it. */
export class StoreBusyError extends Error {
  override readonly name: string = 'StoreBusyError';
}

/** What the operator named cannot be a store: it refuses us, or belongs to something else. The message is for a person. */
export class StoreUnusableError extends Error {
  override readonly name = 'StoreUnusableError';
}

/** There is no room on the disk: "later" too (503, 452), once an operator has made some. */
export class StoreFullError extends StoreBusyError {
  override readonly name = 'StoreFullError';
}
