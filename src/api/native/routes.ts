/** The native API: every route under `/api` that this room owns. */
import type { Accept } from '../../accept/draft.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Store } from '../../store/contract/store.ts';
import type { App } from '../app.ts';
import { accountRoutes } from './account.ts';
import { complaintRoute } from './complaints.ts';
import { dialectRoute } from './dialects.ts';
import { eventRoutes } from './events.ts';
import { mailSettingsRoutes } from './mail-settings.ts';
import { messageContentRoutes } from './message-content.ts';
import { messageRoutes } from './messages.ts';
import { reportRoutes } from './reports.ts';
import { sendRoute } from './send.ts';
import { type SmtpLoginDependencies, smtpLoginRoutes } from './smtp-logins.ts';
import { statisticsRoutes } from './statistics.ts';
import { suppressionRoutes } from './suppressions.ts';
import { suppressionCsvRoutes } from './suppressions-csv.ts';
import { templateRoutes } from './templates.ts';

export interface NativeDependencies {
  readonly accept: Accept;
  readonly store: Pick<
    Store,
    | 'accounts'
    | 'domains'
    | 'mailSettings'
    | 'intake'
    | 'messages'
    | 'log'
    | 'queue'
    | 'reports'
    | 'statistics'
    | 'suppressions'
    | 'templates'
    | 'webhooks'
  >;
  readonly clock: Clock;
  readonly random: Random;
  /** Of a whole message in JSON. */
  readonly messageBodyBytes: number;
  readonly publicUrl: string;
  readonly anyTrackingName: boolean;
  readonly submission: SmtpLoginDependencies['submission'];
}

export function nativeRoutes(app: App, dependencies: NativeDependencies): void {
  const { accept, store, clock, random, messageBodyBytes, publicUrl, anyTrackingName, submission } =
    dependencies;
  const { accounts, domains, mailSettings, templates, suppressions, reports, log, statistics, webhooks } =
    store;
  sendRoute(app, { accept, store, clock, bodyBytes: messageBodyBytes });
  messageRoutes(app, store);
  messageContentRoutes(app, { accept, store });
  eventRoutes(app, log);
  suppressionRoutes(app, { suppressions, clock });
  complaintRoute(app, { store, clock });
  mailSettingsRoutes(app, { mailSettings, domains, publicUrl, anyTrackingName });
  suppressionCsvRoutes(app, { suppressions, clock });
  reportRoutes(app, { reports, accounts });
  statisticsRoutes(app, { statistics, log, webhooks, clock });
  templateRoutes(app, { templates, clock });
  accountRoutes(app, { accounts, clock, random });
  smtpLoginRoutes(app, { accounts, clock, random, submission });
  dialectRoute(app);
}
