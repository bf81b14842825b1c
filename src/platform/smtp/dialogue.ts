/**
 * The SMTP protocol of one client as a state machine (RFC 5321, 1870, 2920, 3207, 4954, 6152, 6531): a command line in,
 * a reply and what comes next out. Knows no sockets, and no policy: that is the conversation's.
 */
import { isAscii, readPath } from './path.ts';
import type { ContentRead } from './reader.ts';
import { isPositive, type Reply, replies, reply } from './replies.ts';
import { type SaslStep, saslMechanisms, startSasl } from './sasl.ts';
import type { SmtpConversation, SmtpService } from './service.ts';

/** Replies of 500 and above since the last message taken, then the connection ends. */
const maxErrors = 30;

/** `content`: a message follows. `tls`: the handshake follows. */
export interface Step {
  readonly reply: Reply;
  readonly next: 'command' | 'content' | 'tls' | 'close';
}

type Answer = Reply | Step | Promise<Reply | Step>;
type Command = (argument: string) => Answer;

interface Transaction {
  readonly sender: string;
  readonly smtpUtf8: boolean;
  readonly recipients: string[];
}

interface DialogueSetting {
  readonly service: SmtpService;
  readonly conversation: SmtpConversation;
  readonly secure: boolean;
  /** Whether STARTTLS can be had. */
  readonly tlsOffered: boolean;
}

export class SmtpDialogue {
  readonly #service: SmtpService;
  readonly #conversation: SmtpConversation;
  readonly #secure: boolean;
  readonly #tlsOffered: boolean;
  #greeted = false;
  #signedIn = false;
  #errors = 0;
  #transaction: Transaction | undefined;
  /** Set while the client answers an AUTH challenge. */
  #answered: ((line: string) => SaslStep) | undefined;

  constructor({ service, conversation, secure, tlsOffered }: DialogueSetting) {
    this.#service = service;
    this.#conversation = conversation;
    this.#secure = secure;
    this.#tlsOffered = tlsOffered && !secure;
  }

  /** True while a client that goes away now would not have its message taken. */
  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  greeting(): Reply {
    return reply(220, '', `${this.#service.hostname} ESMTP`);
  }

  command(line: Buffer | 'too-long'): Step | Promise<Step> {
    return this.#counted(line === 'too-long' ? this.#tooLong() : this.#dispatch(line));
  }

  /** What was read after a step with `next: 'content'`. */
  content(read: ContentRead): Step | Promise<Step> {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    switch (read.kind) {
      case 'message':
        if (transaction === undefined) throw new Error('content came without a transaction');
        return this.#counted(this.#message(transaction, read.content));
      case 'too-large':
        return this.#counted(replies.tooLarge);
      case 'line-too-long':
        return this.#counted(replies.textLineTooLong);
      case 'no-room':
        return this.#counted(replies.noRoom);
      case 'endless':
        return { reply: replies.tooLarge, next: 'close' };
      case 'bare-line-end':
        return { reply: replies.bareLineEnd, next: 'close' };
    }
  }

  #message({ sender, recipients }: Transaction, content: Buffer): Reply | Promise<Reply> {
    return ifPositive(this.#conversation.message({ sender, recipients, content }), () => {
      this.#errors = 0;
    });
  }

  #counted(answer: Answer): Step | Promise<Step> {
    return answer instanceof Promise ? answer.then((late) => this.#count(late)) : this.#count(answer);
  }

  #count(answer: Reply | Step): Step {
    const step = 'next' in answer ? answer : { reply: answer, next: 'command' as const };
    if (step.reply.code >= 500 && ++this.#errors >= maxErrors) {
      return { reply: replies.tooManyErrors, next: 'close' };
    }
    return step.reply.code === 421 ? { reply: step.reply, next: 'close' } : step;
  }

  #tooLong(): Reply {
    this.#answered = undefined;
    return replies.lineTooLong;
  }

  #dispatch(bytes: Buffer): Answer {
    const line = bytes.toString();
    if (this.#answered !== undefined) return this.#sasl(this.#answered(line));
    // A page in a browser can make an HTTP request whose body is SMTP; it cannot hide that it is one.
    if (/ HTTP\/\d(?:\.\d)?$/.test(line)) return replies.notHttp;
    const space = line.indexOf(' ');
    const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
    const command = Object.hasOwn(this.#commands, verb) ? this.#commands[verb] : undefined;
    return command === undefined
      ? replies.unknownCommand
      : command(space < 0 ? '' : line.slice(space + 1).trim());
  }

  readonly #commands: Readonly<Record<string, Command>> = {
    EHLO: (name) => this.#hello(name, true),
    HELO: (name) => this.#hello(name, false),
    STARTTLS: (argument) => this.#startTls(argument),
    AUTH: (argument) => this.#auth(argument),
    MAIL: (argument) => this.#mail(argument),
    RCPT: (argument) => this.#rcpt(argument),
    DATA: (argument) => this.#data(argument),
    RSET: () => {
      this.#transaction = undefined;
      return replies.ok;
    },
    NOOP: () => replies.ok,
    HELP: () => replies.help,
    VRFY: () => replies.cannotVerify,
    EXPN: () => replies.notImplemented,
    BDAT: () => replies.notImplemented,
    QUIT: () => ({ reply: replies.bye, next: 'close' }),
  };

  #hello(name: string, extended: boolean): Reply {
    if (name === '' || !isAscii(name)) return replies.badSyntax;
    this.#greeted = true;
    this.#transaction = undefined;
    const { hostname, limits } = this.#service;
    if (!extended) return reply(250, '', hostname);
    const { auth } = this.#conversation;
    return reply(250, '', [
      hostname,
      'PIPELINING',
      `SIZE ${limits.messageBytes}`,
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      ...(this.#tlsOffered ? ['STARTTLS'] : []),
      ...(auth?.allowed ? [`AUTH ${saslMechanisms}`] : []),
    ]);
  }

  #startTls(argument: string): Reply | Step {
    if (this.#secure) return replies.outOfOrder;
    if (!this.#tlsOffered) return replies.notImplemented;
    return argument === '' ? { reply: replies.ready, next: 'tls' } : replies.badSyntax;
  }

  #auth(argument: string): Answer {
    const { auth } = this.#conversation;
    if (auth === undefined) return replies.notImplemented;
    if (!this.#greeted) return replies.helloFirst;
    if (!auth.allowed) return replies.needsTls;
    if (this.#signedIn || this.#transaction !== undefined) return replies.outOfOrder;
    const [mechanism = '', initial, ...more] = argument.split(/ +/);
    if (mechanism === '' || more.length > 0) return replies.badSyntax;
    return this.#sasl(startSasl(mechanism, initial));
  }

  #sasl(step: SaslStep): Answer {
    this.#answered = undefined;
    switch (step.kind) {
      case 'challenge':
        this.#answered = step.answered;
        return step.reply;
      case 'failed':
        return step.reply;
      case 'login':
        return this.#signIn(step.username, step.password);
    }
  }

  async #signIn(username: string, password: string): Promise<Reply> {
    const answer = (await this.#conversation.auth?.signIn(username, password)) ?? replies.notImplemented;
    this.#signedIn = isPositive(answer);
    return answer;
  }

  #mail(argument: string): Answer {
    if (!this.#greeted) return replies.helloFirst;
    if (this.#transaction !== undefined) return replies.nestedMail;
    const path = readPath('FROM', argument);
    if (path === undefined) return replies.badSenderPath;
    const { address, parameters } = path;
    const refused = this.#mailParameters(parameters);
    if (refused !== undefined) return refused;
    const smtpUtf8 = parameters.has('SMTPUTF8');
    if (!smtpUtf8 && !isAscii(address)) return replies.needsSmtpUtf8;
    return ifPositive(this.#conversation.sender(address), () => {
      this.#transaction = { sender: address, smtpUtf8, recipients: [] };
    });
  }

  #mailParameters(parameters: ReadonlyMap<string, string>): Reply | undefined {
    for (const [name, value] of parameters) {
      switch (name) {
        case 'SIZE':
          if (!/^\d{1,20}$/.test(value)) return replies.badSyntax;
          if (Number(value) > this.#service.limits.messageBytes) return replies.tooLarge;
          break;
        case 'BODY':
          if (!/^(?:7BIT|8BITMIME)$/i.test(value)) return replies.badSyntax;
          break;
        case 'SMTPUTF8':
          if (value !== '') return replies.badSyntax;
          break;
        case 'AUTH':
          // RFC 4954 section 5: taken where AUTH is offered, and believed nowhere here.
          if (this.#conversation.auth === undefined) return replies.unknownParameter;
          break;
        default:
          return replies.unknownParameter;
      }
    }
    return undefined;
  }

  #rcpt(argument: string): Answer {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#greeted ? replies.mailFirst : replies.helloFirst;
    const path = readPath('TO', argument);
    if (path === undefined || path.address === '') return replies.badPath;
    const { address, parameters } = path;
    if (parameters.size > 0) return replies.unknownParameter;
    if (!transaction.smtpUtf8 && !isAscii(address)) return replies.needsSmtpUtf8;
    if (transaction.recipients.length >= this.#service.limits.recipients) return replies.tooManyRecipients;
    return ifPositive(this.#conversation.recipient(address), () => transaction.recipients.push(address));
  }

  #data(argument: string): Reply | Step {
    if (argument !== '') return replies.badSyntax;
    if (this.#transaction === undefined) return this.#greeted ? replies.mailFirst : replies.helloFirst;
    if (this.#transaction.recipients.length === 0) return replies.recipientFirst;
    return { reply: replies.startMail, next: 'content' };
  }
}

function ifPositive(answer: Reply | Promise<Reply>, onYes: () => void): Reply | Promise<Reply> {
  const noted = (reply: Reply): Reply => {
    if (isPositive(reply)) onYes();
    return reply;
  };
  return answer instanceof Promise ? answer.then(noted) : noted(answer);
}
