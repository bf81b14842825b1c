/**
 * The receiver at the end of the simulator's route: a real SMTP server on loopback whose recipients behave as their
 * addresses say (`behaviour.ts`), then open, click, leave and complain as real ones do: by HTTP and SMTP, from the
 * outside. Must never use a short cut into the service, and never request a URL that is not the service's own.
 */
import type { Logger } from 'pino';
import { createTransport } from 'nodemailer';
import { Agent } from 'undici';
import type { Clock, Random } from '../platform/clock.ts';
import { startSmtpListener } from '../platform/smtp/listener.ts';
import { type Reply, reply } from '../platform/smtp/replies.ts';
import type { ReceivedMail, SmtpConversation } from '../platform/smtp/service.ts';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import { Reactions } from './reactions.ts';
import { quotedHeader, readReceived } from './received.ts';
import { bounceMessage, complaint } from './reports.ts';

const bounds = { connections: 1000, connectionsOfAddress: 1000, memoryBytes: 512 * 2 ** 20 };
const maxRecipients = 100;
const slowMs = 20_000;
const requestTimeoutMs = 10_000;

const answers = {
  senderOk: reply(250, '2.1.0', 'OK'),
  recipientOk: reply(250, '2.1.5', 'OK'),
  softBounce: reply(451, '4.2.0', 'The simulated mailbox is busy, try again later (soft-bounced)'),
  hardBounce: reply(550, '5.1.1', 'The simulated mailbox does not exist (hard-bounced)'),
  taken: (behaviour: Behaviour) => reply(250, '2.0.0', `Taken by the simulator (${behaviour})`),
} as const;

/** An address that can be connected to. */
interface Place {
  readonly host: string;
  readonly port: number;
}

export interface SimulatorDependencies {
  /** Largest message that delivery may bring: what was accepted and what was added to it. */
  readonly messageBytes: number;
  /** True for URLs of this service's tracking. */
  readonly isOurs: (url: string) => boolean;
  /** Where this service's HTTP is reached, `http(s)://HOST:PORT`, and its inbound SMTP. */
  readonly http: () => string;
  readonly inbound: () => Place;
  /** @returns true for an envelope that was not named before, to any process */
  readonly softBounce: (envelope: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Simulator extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Resolves when every recipient has done what it was going to do. */
  drained(): Promise<void>;
}

/**
 * Stopping it lets the recipients do at once what they have not done yet: stop it before HTTP and inbound.
 */
export async function startSimulator(dependencies: SimulatorDependencies): Promise<Simulator> {
  const { messageBytes, softBounce, clock, logger } = dependencies;
  const stopping = new AbortController();
  const reactions = new Reactions({ clock, logger, signal: stopping.signal });
  const agent = new Agent({
    connections: 10,
    headersTimeout: requestTimeoutMs,
    bodyTimeout: requestTimeoutMs,
  });
  const outside = new Outside(dependencies, agent);

  async function take(mail: ReceivedMail): Promise<Reply> {
    const behaviours = mail.recipients.map(behaviourOf);
    if (behaviours.includes('slow')) await clock.sleep(slowMs, stopping.signal);
    for (const [index, behaviour] of behaviours.entries()) {
      const recipient = mail.recipients[index] ?? '';
      try {
        const reaction = await outside.reactionOf(behaviour, recipient, mail);
        if (reaction !== undefined) reactions.add(reaction);
      } catch (error) {
        logger.warn({ err: error }, 'a simulated recipient could not read its mail');
      }
    }
    return answers.taken(behaviours[0] ?? 'delivered');
  }

  const listener = await startSmtpListener({
    listen: { host: '127.0.0.1', port: 0 },
    service: {
      hostname: 'simulator.test',
      limits: { messageBytes, recipients: maxRecipients },
      open: () => conversation(softBounce, take),
    },
    bounds,
    secureContext: undefined,
    clock,
    logger,
  });
  return {
    host: listener.host,
    port: listener.port,
    drained: () => reactions.drained,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await listener[Symbol.asyncDispose]();
      await reactions.drained;
      await agent.close();
    },
  };
}

function conversation(
  softBounce: SimulatorDependencies['softBounce'],
  take: (mail: ReceivedMail) => Promise<Reply>,
): SmtpConversation {
  let sender = '';
  return {
    sender(address) {
      sender = address;
      return answers.senderOk;
    },
    async recipient(address) {
      const behaviour = behaviourOf(address);
      if (behaviour === 'hard-bounced') return answers.hardBounce;
      // A message has a return path of its own.
      const isPutOff = behaviour === 'soft-bounced' && (await softBounce(`${sender} ${address}`));
      return isPutOff ? answers.softBounce : answers.recipientOk;
    },
    message: take,
  };
}

type Reaction = () => Promise<void>;

/** The recipients' ways back to the service: its HTTP and its inbound SMTP, as anybody on the Internet has them. */
class Outside {
  readonly #dependencies: SimulatorDependencies;
  readonly #agent: Agent;

  constructor(dependencies: SimulatorDependencies, agent: Agent) {
    this.#dependencies = dependencies;
    this.#agent = agent;
  }

  /** What the recipient will do about this mail, undefined for nothing. The mail itself is not kept for it. */
  async reactionOf(
    behaviour: Behaviour,
    recipient: string,
    mail: ReceivedMail,
  ): Promise<Reaction | undefined> {
    const { isOurs } = this.#dependencies;
    switch (behaviour) {
      case 'opened': {
        const { pixelUrl } = await readReceived(mail.content, isOurs);
        return pixelUrl === undefined ? undefined : () => this.#request('GET', pixelUrl);
      }
      case 'clicked': {
        // Who clicks has seen the pictures before.
        const { pixelUrl, firstLink } = await readReceived(mail.content, isOurs);
        return async () => {
          if (pixelUrl !== undefined) await this.#request('GET', pixelUrl);
          if (firstLink !== undefined) await this.#request('GET', firstLink);
        };
      }
      case 'unsubscribed': {
        const { oneClickUrl } = await readReceived(mail.content, isOurs);
        return oneClickUrl === undefined ? undefined : () => this.#request('POST', oneClickUrl);
      }
      case 'complained': {
        const { feedbackAddress = mail.sender } = await readReceived(mail.content, isOurs);
        const facts = this.#facts(feedbackAddress, recipient, mail);
        return () => this.#send('feedback@mx.simulator.test', feedbackAddress, complaint(facts));
      }
      case 'late-bounced': {
        // A mail with the null sender is itself a report: nobody wants to hear that it bounced (RFC 5321 section 6.1).
        if (mail.sender === '') return undefined;
        const facts = this.#facts(mail.sender, recipient, mail);
        return () => this.#send('', mail.sender, bounceMessage(facts));
      }
      case 'captured':
      case 'delivered':
      case 'soft-bounced':
      case 'hard-bounced':
      case 'slow':
        return undefined;
    }
  }

  #facts(to: string, recipient: string, mail: ReceivedMail) {
    const { clock, random } = this.#dependencies;
    return {
      to,
      sender: mail.sender,
      recipient,
      header: quotedHeader(mail.content),
      atMs: clock.now(),
      boundary: random.bytes(12).toString('hex'),
    };
  }

  /** To where the service listens, under the name that the URL has, as a proxy would pass it on. No redirect is followed. */
  async #request(method: 'GET' | 'POST', url: string): Promise<void> {
    const { pathname, search, host } = new URL(url);
    const { body, statusCode } = await this.#agent.request({
      origin: this.#dependencies.http(),
      path: pathname + search,
      method,
      headers: {
        host,
        'user-agent': 'Aftersend-Simulator/1',
        ...(method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      body: method === 'POST' ? 'List-Unsubscribe=One-Click' : null,
    });
    await body.dump();
    if (statusCode >= 400) throw new Error(`the service answered a simulated recipient with ${statusCode}`);
  }

  async #send(sender: string, recipient: string, raw: Buffer): Promise<void> {
    const { host, port } = this.#dependencies.inbound();
    const transport = createTransport({
      host,
      port,
      name: 'mx.simulator.test',
      ignoreTLS: true,
      connectionTimeout: requestTimeoutMs,
      socketTimeout: requestTimeoutMs,
    });
    await transport.sendMail({ envelope: { from: sender, to: [recipient] }, raw });
  }
}
