/** The reports that receiving systems write: a bounce message (RFC 3464) and a complaint (RFC 5965). Pure. */

interface Facts {
  readonly to: string;
  /** The envelope of the mail it is about. */
  readonly sender: string;
  readonly recipient: string;
  /** Of the mail it is about, as Latin-1. */
  readonly header: string;
  readonly atMs: number;
  /** Something that stands in no mail: what parts the report. */
  readonly boundary: string;
}

const reporter = 'mx.simulator.test';

export function bounceMessage(facts: Facts): Buffer {
  return report(facts, {
    from: `Mail Delivery System <mailer-daemon@${reporter}>`,
    subject: 'Undelivered Mail Returned to Sender',
    reportType: 'delivery-status',
    words: `The mail for ${facts.recipient} was taken, and could not be delivered after all.`,
    machine: [
      'Content-Type: message/delivery-status',
      '',
      `Reporting-MTA: dns; ${reporter}`,
      `Arrival-Date: ${dateOf(facts.atMs)}`,
      '',
      `Final-Recipient: rfc822; ${facts.recipient}`,
      'Action: failed',
      'Status: 5.1.1',
      `Remote-MTA: dns; ${reporter}`,
      'Diagnostic-Code: smtp; 550 5.1.1 The simulated mailbox does not exist (late-bounced)',
      '',
    ],
  });
}

export function complaint(facts: Facts): Buffer {
  return report(facts, {
    from: `Feedback loop <feedback@${reporter}>`,
    subject: 'Complaint about message',
    reportType: 'feedback-report',
    words: `${facts.recipient} says that this mail is spam.`,
    machine: [
      'Content-Type: message/feedback-report',
      '',
      'Feedback-Type: abuse',
      'User-Agent: Aftersend-Simulator/1',
      'Version: 1',
      `Original-Mail-From: <${facts.sender}>`,
      `Original-Rcpt-To: <${facts.recipient}>`,
      `Arrival-Date: ${dateOf(facts.atMs)}`,
      `Reporting-MTA: dns; ${reporter}`,
      '',
    ],
  });
}

function report(
  { to, header, atMs, boundary }: Facts,
  kind: {
    readonly from: string;
    readonly subject: string;
    readonly reportType: string;
    readonly words: string;
    readonly machine: readonly string[];
  },
): Buffer {
  const lines = [
    `From: ${kind.from}`,
    `To: <${to}>`,
    `Subject: ${kind.subject}`,
    `Date: ${dateOf(atMs)}`,
    `Message-ID: <${boundary}@${reporter}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=${kind.reportType}; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=utf-8',
    '',
    kind.words,
    '',
    `--${boundary}`,
    ...kind.machine,
    `--${boundary}`,
    'Content-Type: text/rfc822-headers',
    'Content-Transfer-Encoding: 8bit',
    '',
  ].join('\r\n');
  return Buffer.concat([
    Buffer.from(`${lines}\r\n`),
    Buffer.from(header, 'latin1'),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

/** RFC 5322 section 3.3. */
function dateOf(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000');
}
