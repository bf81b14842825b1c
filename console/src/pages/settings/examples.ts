/** Sending a first message with what people use, ready to copy. Pure texts; no secret is ever filled in. */

export interface Access {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** Of the HTTP API. */
  readonly url: string;
}

export const exampleNames = ['nodemailer', 'PHP', 'Python', 'curl', 'swaks'] as const;
export type ExampleName = (typeof exampleNames)[number];

export const examples: Readonly<Record<ExampleName, (access: Access) => string>> = {
  nodemailer: ({ host, port, username }) => `import { createTransport } from 'nodemailer';

const transport = createTransport({
  host: '${host}',
  port: ${port},
  requireTLS: true,${selfSigned(host, '\n  tls: { rejectUnauthorized: false }, // a certificate of its own, on this machine')}
  auth: { user: '${username}', pass: 'PASSWORD' },
});
await transport.sendMail({
  from: 'Shop <shop@example.com>',
  to: 'opened@simulator.test',
  subject: 'Hello',
  html: '<p>Hello</p>',
});
`,
  PHP: ({ host, port, username }) => `<?php
// composer require phpmailer/phpmailer
require 'vendor/autoload.php';

$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSMTP();
$mail->Host = '${host}';
$mail->Port = ${port};
$mail->SMTPSecure = 'tls';
$mail->SMTPAuth = true;
$mail->Username = '${username}';
$mail->Password = 'PASSWORD';${selfSigned(host, "\n$mail->SMTPOptions = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];")}
$mail->setFrom('shop@example.com', 'Shop');
$mail->addAddress('opened@simulator.test');
$mail->Subject = 'Hello';
$mail->msgHTML('<p>Hello</p>');
$mail->send();
`,
  Python: ({ host, port, username }) => `import smtplib, ssl
from email.message import EmailMessage

message = EmailMessage()
message["From"] = "Shop <shop@example.com>"
message["To"] = "opened@simulator.test"
message["Subject"] = "Hello"
message.set_content("<p>Hello</p>", subtype="html")

context = ssl.create_default_context()${selfSigned(host, '\ncontext.check_hostname = False\ncontext.verify_mode = ssl.CERT_NONE')}
with smtplib.SMTP("${host}", ${port}) as server:
    server.starttls(context=context)
    server.login("${username}", "PASSWORD")
    server.send_message(message)
`,
  curl: ({ url }) => `curl ${url}/api/messages \\
  -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \\
  -d '{"from": "Shop <shop@example.com>", "to": ["opened@simulator.test"],
       "subject": "Hello", "html": "<p>Hello</p>"}'
`,
  swaks: ({ host, port, username }) => `swaks --server ${host}:${port} --tls --auth PLAIN \\
  --auth-user ${username} --auth-password PASSWORD \\
  --from shop@example.com --to opened@simulator.test \\
  --header 'Subject: Hello' --body 'Hello'
`,
};

/** On this machine the service speaks TLS with a certificate that nobody else has signed. */
function selfSigned(host: string, line: string): string {
  return /^(127\.|localhost$|::1$)/.test(host) ? line : '';
}
