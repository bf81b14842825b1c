/** Programs that send by SMTP and HTTP at whichever door is open, and remember what they were answered. */
import { setTimeout as pause } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import { request } from 'undici';
import type { TestAccount } from '../support/service.ts';
import { between, type Chance, oneOf } from './chance.ts';

/** A program gives up on an answer after so long; a process may be stopped. */
const patienceMs = 3_000;
/** Between two tries of one that has an Idempotency-Key. */
const retryMs = 250;
/** How long a door that has not answered is not knocked at. */
const leftOutMs = 3_000;
const mostRecipients = 3;

/** A process that takes mail, by both ways. */
export interface Door {
  readonly http: string;
  readonly smtpPort: number;
}

/** Doors as a load balancer has them: one that has not answered is left out for a while. */
export class Doors {
  readonly #doors: readonly Door[];
  readonly #chance: Chance;
  readonly #awayUntilMs = new Map<Door, number>();

  constructor(doors: readonly Door[], chance: Chance) {
    this.#doors = doors;
    this.#chance = chance;
  }

  /** Knocks at one of them. */
  async knock<T>(work: (door: Door) => Promise<T>): Promise<T> {
    const nowMs = performance.now();
    const open = this.#doors.filter((one) => (this.#awayUntilMs.get(one) ?? 0) < nowMs);
    const door = oneOf(this.#chance, open.length > 0 ? open : this.#doors);
    try {
      return await work(door);
    } catch (error) {
      this.#awayUntilMs.set(door, performance.now() + leftOutMs);
      throw error;
    }
  }
}

/** One submission, as its sender remembers it. */
export interface Sent {
  readonly by: 'http' | 'smtp';
  readonly recipients: readonly string[];
  /** It was repeated until it was answered. */
  readonly isKeyed: boolean;
  tries: number;
  /** When it was answered with 2xx or 250, and the first message's id that it was told. */
  answered: { readonly atMs: number; readonly firstId: number } | undefined;
}

export class Traffic {
  readonly sent: Sent[] = [];
  readonly #doors: Doors;
  readonly #accounts: readonly TestAccount[];
  readonly #chance: Chance;
  readonly #stop = new AbortController();
  #recipients = 0;

  constructor(doors: Doors, accounts: readonly TestAccount[], chance: Chance) {
    this.#doors = doors;
    this.#accounts = accounts;
    this.#chance = chance;
  }

  /** So many senders that each send about `perSecond`, until `stop`. */
  async run(senders: number, perSecond: number): Promise<void> {
    const sender = async () => {
      while (!this.#stop.signal.aborted) {
        await this.#send();
        await pause(between(this.#chance, 0, 2000 / perSecond));
      }
    };
    await Promise.all(Array.from({ length: senders }, sender));
  }

  stop(): void {
    this.#stop.abort();
  }

  async #send(): Promise<void> {
    const by = this.#chance() < 0.5 ? 'http' : 'smtp';
    const count = 1 + Math.floor(this.#chance() * mostRecipients);
    const recipients = Array.from({ length: count }, () => `r${++this.#recipients}@example.org`);
    const isKeyed = by === 'http' && this.#chance() < 0.5;
    const sent: Sent = { by, recipients, isKeyed, tries: 0, answered: undefined };
    this.sent.push(sent);
    const account = oneOf(this.#chance, this.#accounts);
    do {
      sent.tries += 1;
      try {
        const firstId = await this.#doors.knock(({ http, smtpPort }) =>
          by === 'http' ? byHttp(http, account, sent) : bySmtp(smtpPort, account, sent),
        );
        sent.answered = { atMs: performance.now(), firstId };
      } catch {
        // Nobody was there, or it was put off: no promise was made.
        await pause(retryMs);
      }
    } while (sent.isKeyed && sent.answered === undefined);
  }
}

const mail = {
  from: 'shop@example.com',
  subject: 'Your order is on its way',
  html: '<p>See <a href="https://shop.example.com/orders/1">your order</a>.</p>',
};

async function byHttp(url: string, account: TestAccount, { recipients, isKeyed }: Sent): Promise<number> {
  const { statusCode, body } = await request(`${url}/api/messages`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${account.token}`,
      'content-type': 'application/json',
      ...(isKeyed && { 'idempotency-key': recipients[0] ?? '' }),
    },
    body: JSON.stringify({ ...mail, to: recipients }),
    signal: AbortSignal.timeout(patienceMs),
  });
  const answer = await body.text();
  if (statusCode >= 300) throw new Error(`${statusCode} ${answer}`);
  return (JSON.parse(answer) as { id: number }).id;
}

async function bySmtp(port: number, { smtp }: TestAccount, { recipients }: Sent): Promise<number> {
  const transport = createTransport({
    host: '127.0.0.1',
    port,
    auth: { user: smtp.username, pass: smtp.password },
    tls: { rejectUnauthorized: false },
    connectionTimeout: patienceMs,
    greetingTimeout: patienceMs,
    socketTimeout: patienceMs,
  });
  const { response } = await transport.sendMail({ ...mail, to: [...recipients] });
  return Number(/queued as (\d+)/.exec(response)?.[1]);
}

/** Asks for a URL of the service, under the name that the URL has, as a proxy would. @returns the status */
export async function visitAt(
  { http }: Door,
  method: 'GET' | 'POST',
  { host, pathname, search }: URL,
): Promise<number> {
  const { statusCode, body } = await request(`${http}${pathname}${search}`, {
    method,
    headers: {
      host,
      'user-agent': 'Mozilla/5.0',
      ...(method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    body: method === 'POST' ? 'List-Unsubscribe=One-Click' : null,
    signal: AbortSignal.timeout(patienceMs),
  });
  await body.dump();
  return statusCode;
}
