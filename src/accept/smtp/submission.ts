/**
 * SMTP submission: a door. Signs programs in (or knows them by their network), takes the whole message and hands it to
 * `accept`. Answers a message only after `accept` has, and says then which ids it got. Must never deliver, and never
 * take mail from somebody who is not known.
 */
import { createSecureContext } from 'node:tls';
import ipaddr from 'ipaddr.js';
import type { Logger } from 'pino';
import type { ListenAddress, TrustedNetwork } from '../../config/readers.ts';
import { addressOf } from '../../mail/address.ts';
import type { Clock } from '../../platform/clock.ts';
import { type SmtpListener, startSmtpListener } from '../../platform/smtp/listener.ts';
import { type Reply, reply } from '../../platform/smtp/replies.ts';
import type { ReceivedMail, SmtpClient, SmtpConversation } from '../../platform/smtp/service.ts';
import type { Account, AccountStore } from '../../store/contract/accounts.ts';
import type { Credentials } from '../credentials.ts';
import type { Accept } from '../draft.ts';
import { acceptedReply, refusalReply } from './answers.ts';
import { makeDraft } from './submitted-mail.ts';

const bounds = { connections: 2000, connectionsOfAddress: 1000, memoryBytes: 256 * 2 ** 20 };
/** How long a connection may go on before its login is looked up again: a revoked one is out by then. */
const loginHoldsMs = 1000;

const answers = {
  signedIn: reply(235, '2.7.0', 'Signed in'),
  slowDown: (waitS: number) => reply(454, '4.7.0', `Too many failures, try again in ${waitS} seconds`),
  wrongLogin: reply(535, '5.7.8', 'Username or password is wrong'),
  loginRevoked: reply(530, '5.7.0', 'The login was revoked'),
  signInFirst: reply(530, '5.7.0', 'Sign in first'),
  senderOk: reply(250, '2.1.0', 'OK'),
  recipientOk: reply(250, '2.1.5', 'OK'),
  badSender: reply(553, '5.1.7', 'The sender is not a mail address'),
  badRecipient: reply(553, '5.1.3', 'The recipient is not a mail address'),
} as const;

export interface SubmissionDependencies {
  readonly listen: ListenAddress;
  readonly hostname: string;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly trusted: readonly TrustedNetwork[];
  readonly accounts: Pick<AccountStore, 'byName' | 'bySmtpUsername'>;
  readonly credentials: Pick<Credentials, 'bySmtpLogin'>;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startSubmission(dependencies: SubmissionDependencies): Promise<SmtpListener> {
  const { listen, hostname, limits, certificate, clock, logger } = dependencies;
  return startSmtpListener({
    listen,
    service: { hostname, limits, open: (client) => open(client, dependencies) },
    bounds,
    secureContext: createSecureContext({ ...certificate, minVersion: 'TLSv1.2' }),
    clock,
    logger,
  });
}

async function open(client: SmtpClient, dependencies: SubmissionDependencies): Promise<SmtpConversation> {
  const { trusted, accounts, logger } = dependencies;
  const name = accountOfNetwork(client.address, trusted);
  const account = name === undefined ? undefined : await accounts.byName(name);
  if (name !== undefined && account === undefined) {
    logger.warn({ account: name }, 'AFTERSEND_TRUSTED names an account that does not exist');
  }
  return new Submission(client, account, dependencies);
}

/** The most specific network counts. */
function accountOfNetwork(address: string, trusted: readonly TrustedNetwork[]): string | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const client = ipaddr.process(address);
  let best: TrustedNetwork | undefined;
  for (const entry of trusted) {
    const [base, bits] = entry.network;
    if (base.kind() !== client.kind() || !client.match(base, bits)) continue;
    if (best === undefined || bits > best.network[1]) best = entry;
  }
  return best?.account;
}

class Submission implements SmtpConversation {
  readonly auth: NonNullable<SmtpConversation['auth']>;
  readonly #client: SmtpClient;
  readonly #dependencies: SubmissionDependencies;
  #account: Account | undefined;
  #login: { readonly username: string; lookedUpAtMs: number } | undefined;

  constructor(client: SmtpClient, account: Account | undefined, dependencies: SubmissionDependencies) {
    this.#client = client;
    this.#account = account;
    this.#dependencies = dependencies;
    this.auth = {
      allowed: client.secure || isLoopback(client.address),
      signIn: (username, password) => this.#signIn(username, password),
    };
  }

  async #signIn(username: string, password: string): Promise<Reply> {
    const { credentials, clock, logger } = this.#dependencies;
    const verdict = await credentials.bySmtpLogin(username, password, this.#client.address);
    switch (verdict.kind) {
      case 'ok':
        this.#account = verdict.account;
        this.#login = { username, lookedUpAtMs: clock.now() };
        return answers.signedIn;
      case 'slow-down':
        return answers.slowDown(verdict.retryAfterS);
      case 'unknown':
        // The name is left out: people type passwords into it.
        logger.info({ address: this.#client.address }, 'an SMTP sign-in was refused');
        return answers.wrongLogin;
    }
  }

  sender(address: string): Reply | Promise<Reply> {
    if (this.#account === undefined) return answers.signInFirst;
    if (address !== '' && addressOf(address) === undefined) return answers.badSender;
    const login = this.#login;
    if (login === undefined || this.#dependencies.clock.now() - login.lookedUpAtMs < loginHoldsMs) {
      return answers.senderOk;
    }
    return this.#lookUpAgain(login);
  }

  async #lookUpAgain(login: { readonly username: string; lookedUpAtMs: number }): Promise<Reply> {
    const found = await this.#dependencies.accounts.bySmtpUsername(login.username);
    this.#account = found?.account;
    if (found === undefined) return answers.loginRevoked;
    login.lookedUpAtMs = this.#dependencies.clock.now();
    return answers.senderOk;
  }

  recipient(address: string): Reply {
    return addressOf(address) === undefined ? answers.badRecipient : answers.recipientOk;
  }

  async message(mail: ReceivedMail): Promise<Reply> {
    const account = this.#account;
    if (account === undefined) return answers.signInFirst;
    try {
      return acceptedReply(await this.#dependencies.accept(makeDraft(mail, account)));
    } catch (error) {
      return refusalReply(error);
    }
  }
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}
