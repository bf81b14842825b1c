/** The shared store, held to the contract on a real PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import { systemClock } from '../../src/platform/clock.ts';
import { accountsConformance } from '../../src/store/conformance/accounts.ts';
import { identityConformance } from '../../src/store/conformance/identity.ts';
import { logConformance } from '../../src/store/conformance/log.ts';
import { mailSettingsConformance } from '../../src/store/conformance/mail-settings.ts';
import { messagesConformance } from '../../src/store/conformance/messages.ts';
import { queueConformance } from '../../src/store/conformance/queue.ts';
import { retentionConformance } from '../../src/store/conformance/retention.ts';
import { suppressionsConformance } from '../../src/store/conformance/suppressions.ts';
import { templatesConformance } from '../../src/store/conformance/templates.ts';
import { webhooksConformance } from '../../src/store/conformance/webhooks.ts';
import { openPostgresStore } from '../../src/store/postgres/open.ts';
import { freshDatabase } from '../support/fresh-database.ts';
import { withoutPostgres } from '../support/postgres.ts';

const openFresh = async () =>
  openPostgresStore({
    url: await freshDatabase(),
    clock: systemClock,
    processName: randomBytes(6).toString('hex'),
  });

describe('on PostgreSQL', { skip: withoutPostgres }, () => {
  for (const suite of [
    accountsConformance,
    identityConformance,
    logConformance,
    mailSettingsConformance,
    messagesConformance,
    queueConformance,
    retentionConformance,
    suppressionsConformance,
    templatesConformance,
    webhooksConformance,
  ]) {
    suite(openFresh);
  }
});
