/**
 * `npm run demo`: the whole way of a message in half a minute. It starts the service on free ports with a fresh data
 * folder, or on a PostgreSQL that has nothing in it and never on one that is used, sends through each of the three doors to simulator addresses, receives the webhooks in both dialects as a
 * user's program would, and ends with exit code 0 only if every expected event came.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from '../accounts/provision.ts';
import { startService } from '../compose.ts';
import { readConfig } from '../config/settings.ts';
import { systemClock, systemRandom } from '../platform/clock.ts';
import { requireEmptyDatabase } from '../store/open.ts';
import { startReceiver, type ToldEvent } from './receiver.ts';
import { byHttp, bySmtp, byTemplate, type Doors, post, type Send } from './senders.ts';

/** Beyond this the demo says what is missing and fails. */
const deadlineMs = 28_000;

/** One message of the demo and what has to come back for it, in each dialect. */
interface Expectation {
  readonly recipient: string;
  readonly door: 'http' | 'template' | 'smtp';
  readonly msndr: readonly string[];
  readonly sendpulse: readonly string[];
}

const expectations: readonly Expectation[] = [
  { recipient: 'delivered', door: 'http', msndr: ['delivered'], sendpulse: ['delivered'] },
  {
    recipient: 'opened',
    door: 'template',
    msndr: ['delivered', 'opened'],
    sendpulse: ['delivered', 'opened'],
  },
  {
    recipient: 'clicked',
    door: 'smtp',
    msndr: ['delivered', 'opened', 'clicked'],
    sendpulse: ['delivered', 'opened', 'clicked'],
  },
  {
    recipient: 'unsubscribed',
    door: 'http',
    msndr: ['delivered', 'unsubscribed'],
    sendpulse: ['delivered', 'unsubscribed'],
  },
  {
    recipient: 'complained',
    door: 'template',
    msndr: ['delivered', 'complined'],
    sendpulse: ['delivered', 'spam_by_user'],
  },
  { recipient: 'soft-bounced', door: 'smtp', msndr: ['soft_bounced', 'delivered'], sendpulse: ['delivered'] },
  { recipient: 'hard-bounced', door: 'http', msndr: ['hard_bounced'], sendpulse: ['undelivered'] },
  {
    recipient: 'late-bounced',
    door: 'smtp',
    msndr: ['delivered', 'hard_bounced'],
    sendpulse: ['delivered', 'undelivered'],
  },
];

/** Sent after its recipient has complained: it must not go out. */
const skipped: Expectation = { recipient: 'complained', door: 'smtp', msndr: ['skipped'], sendpulse: [] };

/** Which events have come, and which are still awaited. */
class Story {
  readonly #awaited = new Map<string, string>();
  readonly #print: (text: string) => void;
  readonly #startedAtMs = systemClock.now();
  /** Messages by id, for dialects that name no recipient, and the other way round. */
  readonly #recipients = new Map<number, string>();
  /** Events that came before their message's id was known. */
  readonly #early: ToldEvent[] = [];
  #wake: () => void = () => {};

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  say(text: string): void {
    const seconds = ((systemClock.now() - this.#startedAtMs) / 1000).toFixed(2);
    this.#print(`${seconds.padStart(6)} s  ${text}`);
  }

  sent(messageId: number, expectation: Expectation): void {
    const recipient = `${expectation.recipient}@simulator.test`;
    this.#recipients.set(messageId, recipient);
    this.say(`message ${messageId} sent by ${expectation.door} to ${recipient}`);
    for (const dialect of ['msndr', 'sendpulse'] as const) {
      for (const name of expectation[dialect]) {
        this.#awaited.set(this.#key(dialect, name, messageId), `${dialect} ${name} for message ${messageId}`);
      }
    }
    for (const event of this.#early.splice(0)) this.told(event);
  }

  told(event: ToldEvent): void {
    const messageId = event.messageId ?? this.#idOf(event.recipient);
    if (messageId === undefined || !this.#recipients.has(messageId)) {
      this.#early.push(event);
      return;
    }
    const known = this.#awaited.delete(this.#key(event.dialect, event.name, messageId));
    const what = `${event.dialect.padEnd(9)}  ${event.name.padEnd(12)} message ${messageId}`;
    this.say(`  ${known ? '✓' : '·'} ${what}${event.note ? `  (${event.note})` : ''}`);
    this.#wake();
  }

  get missing(): readonly string[] {
    return [...this.#awaited.values()];
  }

  /** Resolves when nothing is awaited any more, or on abort. */
  async complete(signal: AbortSignal): Promise<void> {
    while (this.#awaited.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #idOf(recipient: string | undefined): number | undefined {
    for (const [id, address] of this.#recipients) if (address === recipient) return id;
    return undefined;
  }

  #key(dialect: string, name: string, messageId: number): string {
    return `${dialect} ${name} ${messageId}`;
  }
}

/** The settings that say where the service keeps what it has. */
async function placeOf(folder: string, databaseUrl: string | undefined): Promise<Record<string, string>> {
  if (databaseUrl === undefined) return { AFTERSEND_DATA: folder };
  const place = {
    AFTERSEND_DATA: folder,
    AFTERSEND_DATABASE_URL: databaseUrl,
    AFTERSEND_SECRET_KEY: systemRandom.bytes(32).toString('base64url'),
  };
  // What is wrong with the URL is said before anybody is asked.
  readConfig(place);
  await requireEmptyDatabase(databaseUrl);
  return place;
}

/**
 * @param databaseUrl of an empty PostgreSQL, in which what the demo makes stays; a data folder is used if undefined
 * @returns the exit code
 */
export async function runDemo(
  print: (text: string) => void,
  stop: AbortSignal,
  databaseUrl?: string,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-demo-'));
  const deadline = AbortSignal.any([stop, AbortSignal.timeout(deadlineMs)]);
  const story = new Story(print);
  try {
    await using service = await startService(
      readConfig({
        ...(await placeOf(folder, databaseUrl)),
        AFTERSEND_HTTP: '127.0.0.1:0',
        AFTERSEND_SUBMISSION: '127.0.0.1:0',
        AFTERSEND_INBOUND: '127.0.0.1:0',
        AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8',
        // Half a minute is the whole demo: the soft bounce is tried again after a second.
        AFTERSEND_RETRY_FIRST: '1 s',
        AFTERSEND_LOG: 'warn',
      }),
    );
    await using receiver = await startReceiver((event) => story.told(event));
    const provisioned = await createAccount(
      { accounts: service.store.accounts, clock: systemClock, random: systemRandom },
      { name: 'demo', email: '', timeZone: 'UTC' },
    );
    const doors: Doors = {
      apiUrl: service.publicUrl,
      token: provisioned.token,
      submission: service.submission,
      smtp: provisioned.smtp,
    };
    story.say(`the service is up at ${service.publicUrl}, a receiver at ${receiver.url}`);

    await post(doors, '/v1/email/webhook', { url: `${receiver.url}/msndr` });
    await post(doors, '/api/webhooks', {
      url: `${receiver.url}/sendpulse`,
      dialect: 'sendpulse',
      batch: { age_seconds: 1 },
    });
    story.say('webhooks are set: msndr (one event a request), sendpulse (batches of 1 s)');
    await play(doors, story, deadline);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  if (story.missing.length === 0) {
    story.say('every expected event came');
    return 0;
  }
  story.say('these did not come:');
  for (const missing of story.missing) print(`          ✗ ${missing}`);
  return 1;
}

async function play(doors: Doors, story: Story, deadline: AbortSignal): Promise<void> {
  const send: Record<Expectation['door'], Send> = {
    http: byHttp(doors),
    template: await byTemplate(doors),
    smtp: bySmtp(doors),
  };
  const post = async (expectation: Expectation) => {
    const to = `${expectation.recipient}@simulator.test`;
    story.sent(await send[expectation.door](to, `Hello, ${expectation.recipient}`), expectation);
  };
  for (const expectation of expectations) await post(expectation);
  await story.complete(deadline);
  if (deadline.aborted) return;
  story.say('the one who complained is written to once more:');
  await post(skipped);
  await story.complete(deadline);
}
