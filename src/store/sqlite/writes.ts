/** Every write there is, by room: what the writer thread can be asked for. */
import { accountWrites } from '../sql/accounts.ts';
import { domainWrites } from '../sql/domains.ts';
import { identityWrites } from '../sql/identity.ts';
import { intakeWrites } from './intake.ts';
import { logWrites } from './log.ts';
import { mailSettingsWrites } from '../sql/mail-settings.ts';
import { queueWrites } from './queue.ts';
import { paceWrites } from '../sql/paces.ts';
import { reportWrites } from '../sql/reports.ts';
import { retentionWrites } from './retention.ts';
import { simulatorWrites } from '../sql/simulator.ts';
import { statisticsWrites } from '../sql/statistics-counting.ts';
import { suppressionWrites } from '../sql/suppressions.ts';
import { templateWrites } from '../sql/templates.ts';
import { userWrites } from '../sql/users.ts';
import { replayWrites } from '../sql/webhook-replays.ts';
import { webhookWrites } from '../sql/webhooks.ts';

export const writes = {
  accounts: accountWrites,
  intake: intakeWrites,
  queue: queueWrites,
  log: logWrites,
  suppressions: suppressionWrites,
  domains: domainWrites,
  templates: templateWrites,
  mailSettings: mailSettingsWrites,
  paces: paceWrites,
  reports: reportWrites,
  retention: retentionWrites,
  identity: identityWrites,
  webhooks: webhookWrites,
  replays: replayWrites,
  users: userWrites,
  simulator: simulatorWrites,
  statistics: statisticsWrites,
};
