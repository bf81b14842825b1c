/** SMTP replies and their form on the wire (RFC 5321 section 4.2, RFC 2034). The protocol's own ones stand in a table. */

export interface Reply {
  /** Three digits. */
  readonly code: number;
  /** RFC 3463, '' where there is none: greeting, EHLO and 3xx (RFC 2034 section 4). */
  readonly enhancedCode: string;
  /** Several lines only for EHLO. */
  readonly text: string | readonly string[];
}

export function reply(code: number, enhancedCode: string, text: string | readonly string[]): Reply {
  return { code, enhancedCode, text };
}

export const isPositive = ({ code }: Reply): boolean => code < 400;

/** What the protocol itself answers, whatever the mail is about. */
export const replies = {
  bye: reply(221, '2.0.0', 'Bye'),
  ready: reply(220, '2.0.0', 'Ready to start TLS'),
  ok: reply(250, '2.0.0', 'OK'),
  help: reply(214, '2.0.0', 'RFC 5321'),
  cannotVerify: reply(252, '2.5.0', 'Send some mail and see'),
  startMail: reply(354, '', 'End data with <CR><LF>.<CR><LF>'),
  timeout: reply(421, '4.4.2', 'Timeout, closing the connection'),
  shuttingDown: reply(421, '4.3.2', 'The service is shutting down'),
  tooManyConnections: reply(421, '4.7.0', 'Too many connections, try again later'),
  tooManyErrors: reply(421, '4.7.0', 'Too many errors'),
  notHttp: reply(421, '4.7.0', 'This is not a web server'),
  internal: reply(451, '4.3.0', 'Local error, try again later'),
  noRoom: reply(452, '4.3.1', 'Too much mail is coming in, try again later'),
  tooManyRecipients: reply(452, '4.5.3', 'Too many recipients'),
  lineTooLong: reply(500, '5.5.2', 'Line too long'),
  unknownCommand: reply(500, '5.5.2', 'Command not recognized'),
  badSyntax: reply(501, '5.5.4', 'Syntax error in parameters or arguments'),
  badPath: reply(501, '5.1.3', 'Not an address in angle brackets'),
  badSenderPath: reply(501, '5.1.7', 'Not an address in angle brackets'),
  badBase64: reply(501, '5.5.2', 'Cannot decode the answer'),
  authCancelled: reply(501, '5.7.0', 'Authentication cancelled'),
  notImplemented: reply(502, '5.5.1', 'Command not implemented'),
  helloFirst: reply(503, '5.5.1', 'Send EHLO first'),
  mailFirst: reply(503, '5.5.1', 'Send MAIL first'),
  recipientFirst: reply(503, '5.5.1', 'No valid recipients'),
  nestedMail: reply(503, '5.5.1', 'Sender already given'),
  outOfOrder: reply(503, '5.5.1', 'Not now'),
  unknownMechanism: reply(504, '5.5.4', 'Authentication mechanism not supported'),
  bareLineEnd: reply(
    521,
    '5.5.2',
    'Bare CR or LF in the message: lines end with CRLF, closing the connection',
  ),
  needsTls: reply(538, '5.7.11', 'Send STARTTLS first'),
  tooLarge: reply(552, '5.3.4', 'Message too large'),
  needsSmtpUtf8: reply(553, '5.6.7', 'This address needs the SMTPUTF8 parameter'),
  textLineTooLong: reply(554, '5.6.0', 'The message has a line that is too long'),
  unknownParameter: reply(555, '5.5.4', 'Parameter not recognized'),
} as const satisfies Record<string, Reply>;

/** Control characters would split a reply; what was built from a client's words may hold some. */
const controls = /\p{Cc}+/gu;

export function renderReply({ code, enhancedCode, text }: Reply): string {
  const prefix = enhancedCode === '' ? '' : `${enhancedCode} `;
  if (typeof text === 'string') return `${code} ${prefix}${text.replaceAll(controls, ' ')}\r\n`;
  return text
    .map((line, index) => {
      const mark = index < text.length - 1 ? '-' : ' ';
      return `${code}${mark}${prefix}${line.replaceAll(controls, ' ')}\r\n`;
    })
    .join('');
}
