/** Every write there is, by room: what the writer thread can be asked for. */
import { accountWrites } from './accounts.ts';
import { domainWrites } from './domains.ts';
import { identityWrites } from './identity.ts';
import { intakeWrites } from './intake.ts';
import { logWrites } from './log.ts';
import { mailSettingsWrites } from './mail-settings.ts';
import { queueWrites } from './queue.ts';
import { reportWrites } from './reports.ts';
import { retentionWrites } from './retention.ts';
import { suppressionWrites } from './suppressions.ts';
import { templateWrites } from './templates.ts';
import { userWrites } from './users.ts';
import { replayWrites } from './webhook-replays.ts';
import { webhookWrites } from './webhooks.ts';

export const writes = {
  accounts: accountWrites,
  intake: intakeWrites,
  queue: queueWrites,
  log: logWrites,
  suppressions: suppressionWrites,
  domains: domainWrites,
  templates: templateWrites,
  mailSettings: mailSettingsWrites,
  reports: reportWrites,
  retention: retentionWrites,
  identity: identityWrites,
  webhooks: webhookWrites,
  replays: replayWrites,
  users: userWrites,
};
