/** Every suite that a store has to pass. */
import { accountsConformance } from './accounts.ts';
import { domainsConformance } from './domains.ts';
import { identityConformance } from './identity.ts';
import { logConformance } from './log.ts';
import { mailSettingsConformance } from './mail-settings.ts';
import { messagesConformance } from './messages.ts';
import { pacesConformance } from './paces.ts';
import { queueConformance } from './queue.ts';
import { reportsConformance } from './reports.ts';
import { retentionConformance } from './retention.ts';
import { simulatorConformance } from './simulator.ts';
import { statisticsConformance } from './statistics.ts';
import { suppressionsConformance } from './suppressions.ts';
import { templatesConformance } from './templates.ts';
import { usersConformance } from './users.ts';
import { webhooksConformance } from './webhooks.ts';
import type { OpenStore } from './fixtures.ts';

export function storeConformance(open: OpenStore): void {
  accountsConformance(open);
  domainsConformance(open);
  identityConformance(open);
  logConformance(open);
  mailSettingsConformance(open);
  messagesConformance(open);
  pacesConformance(open);
  queueConformance(open);
  reportsConformance(open);
  retentionConformance(open);
  simulatorConformance(open);
  statisticsConformance(open);
  suppressionsConformance(open);
  templatesConformance(open);
  usersConformance(open);
  webhooksConformance(open);
}
