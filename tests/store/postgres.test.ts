/** The shared store, held to the contract on a real PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import { systemClock } from '../../src/platform/clock.ts';
import { storeConformance } from '../../src/store/conformance/store.ts';
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
  storeConformance(openFresh);
});
