/**
 * One SMTP connection: moves bytes between the socket, the reader and the dialogue, begins TLS, and keeps the waits
 * bounded. Replies to pipelined commands leave in one write. Knows no commands and no policy.
 */
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { SmtpDialogue, type Step } from './dialogue.ts';
import { SmtpReader } from './reader.ts';
import { type Reply, renderReply, replies } from './replies.ts';
import type { SmtpConversation, SmtpService } from './service.ts';

/** RFC 5321 section 4.5.3.1.4 asks for 512 octets; an AUTH with the longest name and password has 700. */
const maxCommandBytes = 1024;
/** RFC 5321 section 4.5.3.1.6 asks for 1000 octets; programs that never fold write lines of some thousands. */
const maxTextLineBytes = 64 * 1024;
const maxDiscardBytes = 64 * 2 ** 20;
/** Input that came while a command is worked on; beyond it the socket is not read. */
const maxWaitingBytes = 256 * 1024;

/** RFC 5321 section 4.5.3.2.7: 5 minutes for a command. It has to be whole by then: single bytes gain no time. */
const commandTimeoutMs = 5 * 60_000;
/** RFC 5321 section 4.5.3.2.5: 3 minutes for a block of a message. */
const blockTimeoutMs = 3 * 60_000;
const messageTimeoutMs = 30 * 60_000;
const handshakeTimeoutMs = 30_000;
/** How long a client that was told goodbye may take to go. What it still sends is read and dropped. */
const farewellTimeoutMs = 5_000;

export interface ConnectionSetting {
  readonly service: SmtpService;
  readonly address: string;
  readonly secureContext: SecureContext | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes of messages that all connections together may hold. */
  readonly memory: MemoryBudget;
}

/** A bound on what all connections together hold. */
export class MemoryBudget {
  #freeBytes: number;

  constructor(bytes: number) {
    this.#freeBytes = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/**
 * `working`: an answer is being made, input waits. `flushing`: the client has to read its replies first.
 * `leaving`: goodbye was said, input is dropped.
 */
type Mode = 'command' | 'content' | 'working' | 'flushing' | 'leaving';

export class SmtpConnection {
  readonly #setting: ConnectionSetting;
  readonly #reader = new SmtpReader(maxCommandBytes);
  #socket: Socket;
  #dialogue: SmtpDialogue | undefined;
  #mode: Mode = 'working';
  #output = '';
  #deadlineAtMs = Infinity;
  #messageDeadlineAtMs = Infinity;
  #reservedBytes = 0;
  #stopping = false;
  #clientEnded = false;

  constructor(socket: Socket, setting: ConnectionSetting) {
    this.#setting = setting;
    this.#socket = socket;
    this.#listen(socket);
  }

  /** Opens the conversation and greets. */
  async start(): Promise<void> {
    const opened = await this.#open(false);
    if (this.#mode !== 'working') return;
    if (opened instanceof SmtpDialogue) this.#apply({ reply: opened.greeting(), next: 'command' });
    else this.#apply({ reply: opened, next: 'close' });
    this.#pump();
  }

  refuse(reply: Reply): void {
    this.#leave(reply);
  }

  /** Ends the connection as soon as no message is on its way. */
  stop(): void {
    this.#stopping = true;
    if (this.#mode === 'command' && this.#dialogue?.inTransaction !== true) this.#leave(replies.shuttingDown);
  }

  /** Ends the connection if the client took too long. */
  checkDeadline(nowMs: number): void {
    if (nowMs < this.#deadlineAtMs) return;
    if (this.#mode === 'command' || this.#mode === 'content') this.#leave(replies.timeout);
    else this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #open(secure: boolean): Promise<SmtpDialogue | Reply> {
    const { service, address, secureContext } = this.#setting;
    const opened: SmtpConversation | Reply = await service.open({ address, secure });
    if ('code' in opened) return opened;
    const tlsOffered = secureContext !== undefined;
    this.#dialogue = new SmtpDialogue({ service, conversation: opened, secure, tlsOffered });
    return this.#dialogue;
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('end', () => {
      this.#clientEnded = true;
      if (this.#mode !== 'working') this.#socket.end();
    });
    socket.on('error', (error: Error) => {
      // A client that goes away is daily life; the log may want to know, nobody else does.
      this.#setting.logger.debug({ err: error, address: this.#setting.address }, 'SMTP connection failed');
      socket.destroy();
    });
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#mode = 'leaving';
      this.#giveMemoryBack();
    });
  }

  #take(chunk: Buffer): void {
    if (this.#mode === 'leaving') return;
    this.#reader.push(chunk);
    if (this.#mode === 'command' || this.#mode === 'content') this.#pump();
    else if (this.#reader.waitingBytes > maxWaitingBytes) this.#socket.pause();
  }

  /** Works on what was read until more is needed or an answer takes its time. */
  #pump(): void {
    try {
      while (this.#mode === 'command' || this.#mode === 'content') {
        const step = this.#mode === 'command' ? this.#nextCommand() : this.#nextContent();
        if (step === undefined) break;
        if (step instanceof Promise) {
          this.#mode = 'working';
          this.#deadlineAtMs = Infinity;
          void step.catch((error: unknown) => this.#failed(error)).then((late) => this.#resume(late));
        } else {
          this.#apply(step);
        }
      }
    } catch (error) {
      this.#failed(error);
      this.#leave(replies.internal);
    }
    this.#flush();
  }

  #nextCommand(): Step | Promise<Step> | undefined {
    const line = this.#reader.readLine();
    return line === undefined ? undefined : this.#dialogue?.command(line);
  }

  #nextContent(): Step | Promise<Step> | undefined {
    const read = this.#reader.readContent();
    if (read !== undefined) return this.#dialogue?.content(read);
    this.#deadlineAtMs = Math.min(this.#setting.clock.now() + blockTimeoutMs, this.#messageDeadlineAtMs);
    return undefined;
  }

  #resume(step: Step): void {
    if (this.#mode === 'leaving') return;
    this.#apply(step);
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#pump();
    if (this.#clientEnded && this.#mode !== 'working') this.#socket.end();
  }

  /** A conversation threw: the client is told that it is not its fault, the log is told why. */
  #failed(error: unknown): Step {
    this.#setting.logger.error({ err: error }, 'an SMTP command failed');
    return { reply: replies.internal, next: 'command' };
  }

  #apply({ reply, next }: Step): void {
    this.#output += renderReply(reply);
    if (this.#reservedBytes > 0) this.#giveMemoryBack();
    switch (next) {
      case 'close':
        return this.#leave(undefined);
      case 'tls':
        return this.#startTls();
      case 'content':
        this.#mode = 'content';
        this.#messageDeadlineAtMs = this.#setting.clock.now() + messageTimeoutMs;
        this.#deadlineAtMs = this.#setting.clock.now() + blockTimeoutMs;
        return this.#reader.startContent({
          messageBytes: this.#setting.service.limits.messageBytes,
          lineBytes: maxTextLineBytes,
          discardBytes: maxDiscardBytes,
          reserve: (bytes) => this.#reserve(bytes),
        });
      case 'command':
        this.#mode = 'command';
        this.#deadlineAtMs = this.#setting.clock.now() + commandTimeoutMs;
        if (this.#stopping && this.#dialogue?.inTransaction !== true) this.#leave(replies.shuttingDown);
    }
  }

  #reserve(bytes: number): boolean {
    const granted = this.#setting.memory.take(bytes);
    if (granted) this.#reservedBytes += bytes;
    return granted;
  }

  #giveMemoryBack(): void {
    this.#setting.memory.giveBack(this.#reservedBytes);
    this.#reservedBytes = 0;
  }

  #flush(): void {
    if (this.#output === '') return;
    const output = this.#output;
    this.#output = '';
    const fits = this.#socket.write(output);
    // A client that sends commands and reads no replies is not served on until it does.
    if (!fits && this.#mode === 'command') {
      this.#mode = 'flushing';
      this.#socket.pause();
    }
  }

  #drained(): void {
    if (this.#mode !== 'flushing') return;
    this.#mode = 'command';
    this.#socket.resume();
    this.#pump();
  }

  #leave(reply: Reply | undefined): void {
    if (this.#mode === 'leaving') return;
    if (reply !== undefined) this.#output += renderReply(reply);
    this.#mode = 'leaving';
    this.#flush();
    this.#reader.drop();
    this.#deadlineAtMs = this.#setting.clock.now() + farewellTimeoutMs;
    // Read on: closing over unread input would reset the connection, and the client would lose the reply.
    this.#socket.end();
    this.#socket.resume();
  }

  #startTls(): void {
    const { secureContext, clock } = this.#setting;
    if (secureContext === undefined) throw new Error('TLS began where it was not offered');
    this.#mode = 'working';
    this.#deadlineAtMs = clock.now() + handshakeTimeoutMs;
    const plain = this.#socket;
    this.#flush();
    plain.removeAllListeners('data').removeAllListeners('drain').removeAllListeners('end');
    // What came in clear text after STARTTLS may be anybody's, and is not looked at (RFC 3207 section 5).
    this.#reader.drop();
    const secured = new TLSSocket(plain, { isServer: true, secureContext });
    this.#socket = secured;
    this.#dialogue = undefined;
    this.#listen(secured);
    secured.once('secure', () => {
      void this.#open(true).then(
        (opened) => this.#secured(opened),
        (error: unknown) => this.#leave(this.#failed(error).reply),
      );
    });
  }

  #secured(opened: SmtpDialogue | Reply): void {
    if (this.#mode !== 'working') return;
    if (!(opened instanceof SmtpDialogue)) return this.#leave(opened);
    this.#mode = 'command';
    this.#deadlineAtMs = this.#setting.clock.now() + commandTimeoutMs;
    this.#pump();
  }
}
