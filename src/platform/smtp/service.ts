/** What the SMTP protocol asks of those who use it: who may connect, whom to take mail from and for, and what becomes of it. */
import type { Reply } from './replies.ts';

export interface SmtpClient {
  /** IP address; an IPv4 address that came in by an IPv6 socket is written as IPv4. */
  readonly address: string;
  readonly secure: boolean;
}

export interface ReceivedMail {
  /** Envelope sender, '' for the null sender. */
  readonly sender: string;
  /** In the order they were given; an address that was given twice stands here twice. */
  readonly recipients: readonly string[];
  /** With CRLF line ends, without the dots of transparency. */
  readonly content: Buffer;
}

type Answer = Reply | Promise<Reply>;

/** One client's talk with the service: made when it connects, and anew when TLS begins. A reply below 400 is a yes. */
export interface SmtpConversation {
  /** Undefined where nobody signs in. */
  readonly auth?: {
    /** False while TLS is missing: AUTH is not offered, and refused with 538. */
    readonly allowed: boolean;
    signIn(username: string, password: string): Promise<Reply>;
  };
  sender(address: string): Answer;
  recipient(address: string): Answer;
  message(mail: ReceivedMail): Answer;
}

export interface SmtpService {
  /** This server's name in greeting and EHLO. */
  readonly hostname: string;
  readonly limits: { readonly messageBytes: number; readonly recipients: number };
  /** A conversation, or why there is none (421, 554). */
  open(client: SmtpClient): SmtpConversation | Reply | Promise<SmtpConversation | Reply>;
}
