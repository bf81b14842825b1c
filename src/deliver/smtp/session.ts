/**
 * One SMTP connection to one address, as its client (RFC 5321): greeting, EHLO, STARTTLS, AUTH, then one transaction
 * after another. It throws AttemptError and nothing else, knows no policy beyond its target's, and never tells
 * credentials or content.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { AttemptStage } from '../../events/types.ts';
import type { Clock } from '../../platform/clock.ts';
import { AttemptError } from '../attempt-error.ts';
import type { Deadlines, Expiring } from '../deadlines.ts';
import { dataBlock, endOfData } from './data-block.ts';
import type { Envelope } from './envelope.ts';
import { type Reply, ReplyReader } from './reply.ts';
import type { Source } from '../pools.ts';
import { fitsRecords } from '../tls/dane.ts';
import { resultOfError, type TlsDemand, type TlsPolicyType, type TlsResult } from '../tls/demand.ts';
import type { Trace } from './trace.ts';

/** RFC 5321 section 4.5.3.2, shorter where a connection that hangs would only keep others waiting. */
export interface SessionTimeouts {
  /** TCP, and once more TLS. */
  readonly connectMs: number;
  /** Any reply but the last. */
  readonly replyMs: number;
  /** From the first byte of content to the answer after the last. */
  readonly contentMs: number;
}

export interface SessionTarget {
  /** The name that the certificate is checked against and people read. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly implicitTls: boolean;
  readonly tls: TlsDemand;
  /** Where the demand comes from. */
  readonly policy: TlsPolicyType;
  readonly login: { readonly username: string; readonly password: string } | undefined;
  readonly source: Source;
  /** After so many the connection is of no more use. */
  readonly maxMessages: number;
}

export interface SessionTools {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timeouts: SessionTimeouts;
}

interface Expected {
  readonly stage: AttemptStage;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: AttemptError) => void;
}

/** After QUIT the server may close first, for so long: only then does it count one connection less. */
const goodbyeMs = 2_000;

export class SmtpSession implements Expiring {
  readonly target: SessionTarget;
  /** Resolves when both sides have let go of the connection. */
  readonly closed: Promise<void>;
  /** Transactions begun so far. */
  transactions = 0;
  /** How its TLS came out, undefined while it has not been tried. */
  tlsResult: TlsResult | undefined;
  deadlineMs = Infinity;
  readonly #tools: SessionTools;
  /** No wait goes beyond this: the end of the running attempt. */
  #limitMs: number;
  #trace: Trace;
  #socket: Socket;
  #tls = '';
  readonly #reader = new ReplyReader();
  #expected: Expected[] = [];
  #extensions = new Map<string, string>();
  #needsReset = false;
  #onClosed: (() => void) | undefined;
  readonly #letGo: () => void;
  /** Why it is of no more use, undefined while it is. */
  #ended: { readonly why: string; readonly cause?: unknown } | undefined;

  /** Begins to connect. */
  constructor(target: SessionTarget, tools: SessionTools, trace: Trace, limitMs: number) {
    this.target = target;
    this.#tools = tools;
    this.#trace = trace;
    this.#limitMs = limitMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#letGo = resolve;
    const { address, port, source } = target;
    this.#socket = connectTcp({
      host: address,
      port,
      noDelay: true,
      ...(source.address !== '' && { localAddress: source.address }),
    });
  }

  /** Comes as far as a transaction may begin. @throws AttemptError of a stage before `mail` */
  async handshake(): Promise<void> {
    const { target } = this;
    this.#fillIn();
    await this.#connect();
    if (target.implicitTls) await this.#secure();
    this.#demand('greeting', await this.#expect('greeting', this.#tools.timeouts.replyMs), '2');
    await this.#hello();
    if (!target.implicitTls && target.tls !== 'none') await this.#startTls();
    if (target.login !== undefined) await this.#signIn(target.login);
  }

  get usable(): boolean {
    return this.#ended === undefined;
  }

  /** Waits for the next transaction, `idleMs` at most. `onClosed` is called if it ends by itself before `use`. */
  rest(idleMs: number, onClosed: () => void): void {
    this.#limitMs = Infinity;
    this.#onClosed = onClosed;
    this.#wait(idleMs);
  }

  /** What comes next belongs to another attempt, which ends at `limitMs`. */
  use(trace: Trace, limitMs: number): void {
    this.#onClosed = undefined;
    this.#trace = trace;
    this.#limitMs = limitMs;
    this.#fillIn();
    trace.note(`kept connection to ${this.#where}, ${this.transactions} messages before`);
  }

  /**
   * One message to one recipient.
   * @returns the server's 2xx after the content
   * @throws AttemptError
   */
  async send(envelope: Envelope, content: Uint8Array): Promise<Reply> {
    const mail = envelope.mailCommand(this.#extensions);
    const rcpt = envelope.rcptCommand(this.#extensions);
    this.transactions++;
    // An answer to RSET says nothing; that it comes shows in the next one.
    if (this.#needsReset) this.#ask('mail', 'RSET').catch(() => {});
    this.#needsReset = true;
    if (this.#extensions.has('PIPELINING')) {
      await this.#beginPipelined(mail, rcpt);
    } else {
      this.#demand('mail', await this.#ask('mail', mail), '2');
      this.#demand('rcpt', await this.#ask('rcpt', rcpt), '2');
      this.#demand('data', await this.#ask('data', 'DATA'), '3');
    }
    const reply = await this.#sendContent(content);
    this.#needsReset = false;
    return reply;
  }

  /** Says good-bye and closes; nobody has to wait for the answer. */
  quit(): void {
    if (this.#ended !== undefined) return;
    this.#socket.end('QUIT\r\n');
    this.#end('it was closed');
    this.deadlineMs = this.#tools.clock.now() + goodbyeMs;
    this.#tools.deadlines.moved(this);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#end('it was given up');
  }

  expire(): void {
    if (this.#ended !== undefined) return void this.#socket.destroy();
    if (this.#expected.length === 0) return this.quit();
    this.#socket.destroy();
    this.#end('no answer in time');
  }

  #connect(): Promise<void> {
    const socket = this.#socket;
    this.#wait(this.#tools.timeouts.connectMs);
    return new Promise<void>((resolve, reject) => {
      this.#expected.push({ stage: 'connect', resolve: () => resolve(), reject });
      socket.once('connect', () => {
        this.#fillIn();
        this.#trace.note(`connected to ${this.#where}`);
        this.#expected.shift();
        resolve();
      });
      this.#listen(socket);
    });
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message, error));
    socket.on('close', () => {
      this.#end('the server closed it');
      this.#tools.deadlines.delete(this);
      this.#letGo();
    });
  }

  async #startTls(): Promise<void> {
    if (this.#extensions.has('STARTTLS')) {
      this.#demand('tls', await this.#ask('tls', 'STARTTLS'), '2');
      // RFC 3207 section 6: what came in the clear behind the answer may be somebody else's.
      if (this.#ended !== undefined || this.#reader.pending) {
        throw this.#unanswered('tls', 'more than an answer came to STARTTLS');
      }
      await this.#secure();
      await this.#hello();
    } else {
      this.tlsResult = 'starttls-not-supported';
      if (this.target.tls === 'opportunistic') return;
      throw this.#unanswered('tls', 'it offers no TLS');
    }
  }

  /** TLS over the connection as it stands. */
  #secure(): Promise<void> {
    const plain = this.#socket;
    for (const event of ['data', 'error', 'close']) plain.removeAllListeners(event);
    const { host } = this.target;
    this.#wait(this.#tools.timeouts.connectMs);
    return new Promise<void>((resolve, reject) => {
      this.#expected.push({ stage: 'tls', resolve: () => resolve(), reject });
      const secured: TLSSocket = connectTls({
        socket: plain,
        host,
        ...(isIP(host) === 0 && { servername: host }),
        // Judged below, so that what is wrong can be told and counted.
        rejectUnauthorized: false,
      });
      this.#socket = secured;
      secured.once('secureConnect', () => {
        const verdict = this.#judge(secured);
        this.#tls = `${secured.getProtocol() ?? ''} ${secured.getCipher().standardName} (${verdict.shown})`;
        this.#fillIn();
        this.#trace.note(this.#tls);
        this.#expected.shift();
        if (verdict.refused === undefined) return resolve();
        secured.destroy();
        reject(this.#unanswered('tls', verdict.refused));
        this.#end(verdict.refused);
      });
      this.#listen(secured);
    });
  }

  /** Whether the certificate is good enough for what is demanded. */
  #judge(secured: TLSSocket): { readonly shown: string; readonly refused?: string } {
    const { tls: demand, host, policy } = this.target;
    const error = secured.authorizationError as NodeJS.ErrnoException | string | null;
    const code = error === null ? '' : typeof error === 'string' ? error : (error.code ?? error.message);
    if (typeof demand === 'object') {
      const leaf = secured.getPeerX509Certificate();
      const nowMs = this.#tools.clock.now();
      const fits = leaf !== undefined && fitsRecords(leaf, demand.records, { host, nowMs });
      this.tlsResult = fits ? 'success' : 'validation-failure';
      if (fits) return { shown: 'verified by DANE' };
      return { shown: 'not verified', refused: 'its certificate fits none of its TLSA records (DANE)' };
    }
    // Without a policy, that there is TLS is all that was wanted (RFC 8460 section 4.3).
    this.tlsResult = secured.authorized || policy === 'no-policy-found' ? 'success' : resultOfError(code);
    if (secured.authorized) return { shown: 'verified' };
    const shown = `not verified: ${code}`;
    return demand === 'verified' ? { shown, refused: `its certificate is not good: ${code}` } : { shown };
  }

  async #hello(): Promise<void> {
    const { ehloName } = this.target.source;
    let reply = await this.#ask('greeting', `EHLO ${ehloName}`);
    if (reply.code.startsWith('5')) reply = await this.#ask('greeting', `HELO ${ehloName}`);
    this.#demand('greeting', reply, '2');
    this.#extensions = new Map(
      reply.lines.slice(1).map((line) => {
        const [keyword = '', ...parameters] = line.trim().toUpperCase().split(/[ =]+/);
        return [keyword, parameters.join(' ')];
      }),
    );
  }

  async #signIn({ username, password }: NonNullable<SessionTarget['login']>): Promise<void> {
    const mechanisms = (this.#extensions.get('AUTH') ?? '').split(' ');
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    if (mechanisms.includes('PLAIN')) {
      const command = `AUTH PLAIN ${base64(`\0${username}\0${password}`)}`;
      this.#demand('auth', await this.#ask('auth', command, 'AUTH PLAIN (credentials)'), '2');
    } else if (mechanisms.includes('LOGIN')) {
      this.#demand('auth', await this.#ask('auth', 'AUTH LOGIN'), '3');
      this.#demand('auth', await this.#ask('auth', base64(username), '(username)'), '3');
      this.#demand('auth', await this.#ask('auth', base64(password), '(password)'), '2');
    } else {
      throw this.#unanswered('auth', 'it offers neither AUTH PLAIN nor AUTH LOGIN');
    }
  }

  /** MAIL, RCPT and DATA in one packet (RFC 2920). */
  async #beginPipelined(mail: string, rcpt: string): Promise<void> {
    for (const command of [mail, rcpt, 'DATA']) this.#trace.sent(command);
    this.#socket.write(`${mail}\r\n${rcpt}\r\nDATA\r\n`);
    const { replyMs } = this.#tools.timeouts;
    const stages = ['mail', 'rcpt', 'data'] as const;
    // Each by itself: a server that refuses and hangs up leaves the later ones unanswered.
    const answers = await Promise.allSettled(stages.map((stage) => this.#expect(stage, replyMs)));
    const data = answers[2];
    const refused = answers.some((answer) => answer.status === 'rejected' || /^[45]/.test(answer.value.code));
    if (refused && data?.status === 'fulfilled' && data.value.code === '354') {
      // RFC 2920 section 3.1: a server may want data although nobody is left to send to; then nothing is what it gets.
      await this.#ask('data', '.').catch(() => {});
    }
    for (const [index, stage] of stages.entries()) {
      const answer = answers[index];
      if (answer?.status !== 'fulfilled') throw answer?.reason;
      this.#demand(stage, answer.value, stage === 'data' ? '3' : '2');
    }
  }

  async #sendContent(content: Uint8Array): Promise<Reply> {
    const block = dataBlock(content);
    this.#socket.cork();
    this.#socket.write(block);
    this.#socket.write(endOfData(block));
    this.#socket.uncork();
    this.#trace.sent(`(content, ${content.byteLength} bytes)`);
    const reply = await this.#expect('data', this.#tools.timeouts.contentMs);
    // An answer before the end of the content leaves the rest of it to be read as commands.
    if (this.#socket.writableLength > 0) this.destroy();
    return this.#demand('data', reply, '2');
  }

  #ask(stage: AttemptStage, command: string, shown = command): Promise<Reply> {
    this.#trace.sent(shown);
    this.#socket.write(`${command}\r\n`);
    return this.#expect(stage, this.#tools.timeouts.replyMs);
  }

  #expect(stage: AttemptStage, timeoutMs: number): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#unanswered(stage, this.#ended.why));
    this.#wait(timeoutMs);
    return new Promise((resolve, reject) => this.#expected.push({ stage, resolve, reject }));
  }

  #demand(stage: AttemptStage, reply: Reply, firstDigit: '2' | '3'): Reply {
    if (reply.code.startsWith(firstDigit)) return reply;
    const { code, enhancedCode, text } = reply;
    if (/^[45]/.test(code)) throw AttemptError.refused(stage, { code, enhancedCode, text });
    this.destroy();
    throw this.#unanswered(stage, `its answer '${reply.raw}' does not fit`);
  }

  #wait(timeoutMs: number): void {
    this.deadlineMs = Math.min(this.#tools.clock.now() + timeoutMs, this.#limitMs);
    this.#tools.deadlines.moved(this);
  }

  #read(chunk: Buffer): void {
    try {
      for (const reply of this.#reader.push(chunk)) this.#receive(reply);
    } catch (error) {
      this.#socket.destroy();
      this.#end((error as Error).message, error);
    }
  }

  #receive(reply: Reply): void {
    const waiting = this.#expected.shift();
    this.#trace.received(reply.raw);
    waiting?.resolve(reply);
    // RFC 5321 section 3.8: 421 says that the server closes. An answer to nothing makes all later ones doubtful.
    if (reply.code === '421' || waiting === undefined) {
      this.#socket.destroy();
      this.#end(`it said '${reply.raw}'`);
    }
  }

  /** The trace learns whom this session talks to, and how. */
  #fillIn(): void {
    this.#trace.host = this.target.host;
    this.#trace.address = this.target.address;
    this.#trace.sourceAddress = this.#socket.localAddress ?? this.#trace.sourceAddress;
    this.#trace.tls = this.#tls;
  }

  get #where(): string {
    const { host, address, port } = this.target;
    return `${host} (${address === host ? '' : `${address} `}port ${port})`;
  }

  #unanswered(stage: AttemptStage, why: string, cause?: unknown): AttemptError {
    const what =
      stage === 'connect' ? 'no connection to' : stage === 'tls' ? 'no TLS with' : 'connection lost to';
    return AttemptError.unanswered(stage, `${what} ${this.#where}: ${why}`, cause);
  }

  #end(why: string, cause?: unknown): void {
    if (this.#ended !== undefined) return;
    if (this.#expected[0]?.stage === 'tls') this.tlsResult ??= 'validation-failure';
    this.#ended = { why };
    this.#tools.deadlines.delete(this);
    const waiting = this.#expected;
    this.#expected = [];
    const [{ stage: reached } = {}] = waiting;
    // Where nobody answers no other line says who was tried.
    if (reached === 'connect') this.#trace.note(`no connection to ${this.#where}: ${why}`);
    else if (reached !== undefined) this.#trace.note(`ended: ${why}`);
    for (const { stage, reject } of waiting) reject(this.#unanswered(stage, why, cause));
    this.#onClosed?.();
  }
}
