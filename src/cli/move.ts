/** `aftersend move`: takes a data folder over to a database, and says in plain words what it does and what is to do then. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { serverUrls } from '../config/database-url.ts';
import { readOrMakeSecrets } from '../config/secret-file.ts';
import type { Config } from '../config/settings.ts';
import { systemClock, systemRandom } from '../platform/clock.ts';
import { StoreBusyError } from '../store/contract/store.ts';
import { move, type Moved, type MoveStep } from '../store/move/move.ts';
import { deriveKeys } from '../tokens/keys.ts';

/** Between two lines of one large table. */
const lineEveryMs = 5_000;

export interface MoveWords {
  readonly from: string;
  /** The database's URL. */
  readonly to: string;
  readonly isJson: boolean;
}

export async function moveData(
  config: Config,
  { from, to: url, isJson }: MoveWords,
  print: (text: string) => unknown,
): Promise<0> {
  const to = nameOf(url);
  const say = isJson ? () => undefined : print;
  const beganMs = systemClock.now();
  const sayStep = sayer({ from, to }, say);
  let isBegun = false;
  const moved = await move({
    dataFolder: from,
    url,
    to,
    fingerprint: fingerprintOf(config, from),
    clock: systemClock,
    random: systemRandom,
    tell(step) {
      isBegun = true;
      sayStep(step);
    },
  }).catch((error: unknown) => {
    if (isBegun && error instanceof StoreBusyError) {
      say('It broke off. Nothing is lost: run the same command again, and it goes on where it was.');
    }
    throw error;
  });
  if (isJson) print(JSON.stringify({ done: true, tables: moved.tables }));
  else print(farewell(config, { from, to, moved, tookMs: systemClock.now() - beganMs }));
  return 0;
}

/** Where the folder has no secret yet, none is made: there is nothing that it would have to open. */
function fingerprintOf({ secrets }: Config, from: string): string {
  if (secrets.length > 0) return deriveKeys(secrets).fingerprint;
  return existsSync(join(from, 'secret.key')) ? deriveKeys(readOrMakeSecrets(from)).fingerprint : '';
}

/** Hosts and database: no user, no password. */
function nameOf(url: string): string {
  const urls = serverUrls(url).map((one) => new URL(one));
  return `${urls.map(({ host }) => host).join(',')}${urls[0]?.pathname ?? ''}`;
}

const count = (rows: number): string => rows.toLocaleString('en');

type TableStep = Extract<MoveStep, { table: string }>;
const line = ({ table, rows }: TableStep): string => `  ${table.padEnd(22)}${count(rows).padStart(14)}`;

function sayer(
  { from, to }: { from: string; to: string },
  say: (text: string) => unknown,
): (step: MoveStep) => void {
  let saidMs = systemClock.now();
  const sayPart = (step: TableStep) => {
    if (step.rows === step.of || systemClock.now() - saidMs < lineEveryMs) return;
    saidMs = systemClock.now();
    say(`${line(step)}  of ${count(step.of)}`);
  };
  return (step) => {
    switch (step.kind) {
      case 'begins':
        return void say(`Moving ${from} to ${to}. Nothing may run on either until this is done.`);
      case 'goes on':
        return void say(`Going on with moving ${from} to ${to}.`);
      case 'checks':
        return void say('Everything is there. Reading it back and comparing:');
      case 'checked':
        if (step.rows > 0) say(`${line(step)}  the same`);
        return;
      case 'copying':
        if (step.rows > 0 && step.rows === step.of) return void say(line(step));
        return sayPart(step);
      case 'checking':
        return sayPart(step);
    }
  };
}

interface Farewell {
  readonly from: string;
  readonly to: string;
  readonly moved: Moved;
  readonly tookMs: number;
}

function farewell({ secrets }: Config, { from, to, moved, tookMs }: Farewell): string {
  const tables = Object.values(moved.tables);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const secret =
    secrets.length > 0
      ? 'the AFTERSEND_SECRET_KEY that is set now'
      : `AFTERSEND_SECRET_KEY as it stands in ${join(from, 'secret.key')} (its lines with commas between)`;
  return [
    moved.isOld
      ? `${from} was moved to ${to} before; nothing was done now.`
      : `Done: ${count(rows)} rows of ${tables.length} tables, in ${count(Math.ceil(tookMs / 1000))} s.`,
    `Start the services with AFTERSEND_DATABASE_URL and ${secret}.`,
    ...(moved.objectBodies > 0
      ? [
          `The bodies of ${count(moved.objectBodies)} submissions stay in the object store: AFTERSEND_BODIES and AFTERSEND_S3_… as they are now.`,
        ]
      : []),
    ...(hasVisits(from)
      ? [
          `Opens and clicks wait in ${join(from, 'visits')}: one process with the role api and AFTERSEND_DATA=${from} takes them in.`,
        ]
      : []),
    `What is in ${from} is as it was; it is not served any more.`,
  ].join('\n');
}

/** Opens and clicks on disk (`track/`), which were not told when the service stopped. */
function hasVisits(from: string): boolean {
  const folder = join(from, 'visits');
  if (!existsSync(folder)) return false;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.some((file) => file.endsWith('.jsonl') && statSync(join(folder, file)).size > 0);
}
