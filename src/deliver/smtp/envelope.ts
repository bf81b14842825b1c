/**
 * MAIL and RCPT as a server's extensions allow: SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531). An address
 * that cannot be said to that server, or that would be more than an address, is refused here.
 */
import { isAscii } from 'node:buffer';
import { domainToASCII } from 'node:url';
import { AttemptError } from '../attempt-error.ts';

type Extensions = ReadonlyMap<string, string>;

export class Envelope {
  readonly #sender: string;
  readonly #recipient: string;
  readonly #sizeBytes: number;
  readonly #eightBit: boolean;

  constructor(sender: string, recipient: string, content: Uint8Array) {
    for (const address of [sender, recipient]) {
      // oxlint-disable-next-line no-control-regex -- exactly those would begin another command
      if (/[\u0000-\u0020<>\u007f]/.test(address)) {
        throw AttemptError.impossible('mail', '5.1.3', 'the address cannot be written in SMTP');
      }
    }
    this.#sender = sender;
    this.#recipient = recipient;
    this.#sizeBytes = content.byteLength;
    this.#eightBit = !isAscii(content);
  }

  /** @throws AttemptError if the message cannot be said to this server */
  mailCommand(extensions: Extensions): string {
    const limit = Number(extensions.get('SIZE') ?? 0);
    if (limit > 0 && this.#sizeBytes > limit) {
      throw AttemptError.impossible(
        'mail',
        '5.3.4',
        `the message has ${this.#sizeBytes} bytes, the server takes ${limit}`,
      );
    }
    const size = extensions.has('SIZE') ? ` SIZE=${this.#sizeBytes}` : '';
    // A server without 8BITMIME gets the bytes as they are: all of today's pass them on, and nothing better can be done.
    const body = this.#eightBit && extensions.has('8BITMIME') ? ' BODY=8BITMIME' : '';
    const utf8 = this.#needsUtf8(extensions) ? ' SMTPUTF8' : '';
    return `MAIL FROM:<${asciiDomain(this.#sender)}>${size}${body}${utf8}`;
  }

  rcptCommand(extensions: Extensions): string {
    this.#needsUtf8(extensions);
    return `RCPT TO:<${asciiDomain(this.#recipient)}>`;
  }

  /** Only a local part needs SMTPUTF8: a domain has an ASCII form that every server knows. */
  #needsUtf8(extensions: Extensions): boolean {
    const ascii = [this.#sender, this.#recipient].every((address) =>
      isAscii(Buffer.from(localPart(address))),
    );
    if (!ascii && !extensions.has('SMTPUTF8')) {
      throw AttemptError.impossible('rcpt', '5.6.7', 'the server takes no addresses beyond ASCII (SMTPUTF8)');
    }
    return !ascii;
  }
}

const localPart = (address: string): string => address.slice(0, Math.max(0, address.lastIndexOf('@')));

function asciiDomain(address: string): string {
  const at = address.lastIndexOf('@');
  if (at === -1 || isAscii(Buffer.from(address.slice(at)))) return address;
  return `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1))}`;
}
