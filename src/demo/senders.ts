/** The demo's three ways in, each as a user's program would do it: HTTP, a template, SMTP. */
import { createTransport } from 'nodemailer';
import { request } from 'undici';

export interface Doors {
  readonly apiUrl: string;
  readonly token: string;
  readonly submission: { readonly host: string; readonly port: number };
  readonly smtp: { readonly username: string; readonly password: string };
}

/** A way in: sends one message. @returns the message's id */
export type Send = (to: string, subject: string) => Promise<number>;

const sender = 'shop@example.com';
const page = 'https://example.com/order/42';

const html = (subject: string) =>
  `<html><body><h1>${subject}</h1><p><a href="${page}">Your order</a></p></body></html>`;

/** POSTs JSON as the account. @throws Error with the status and body of any answer but 2xx */
export async function post(doors: Doors, path: string, body: object): Promise<{ id: number }> {
  const { statusCode, body: answer } = await request(`${doors.apiUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${doors.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (statusCode >= 300) throw new Error(`POST ${path} answered ${statusCode}: ${text}`);
  return JSON.parse(text) as { id: number };
}

export function byHttp(doors: Doors): Send {
  return async (to, subject) =>
    (await post(doors, '/v1/email/messages', { from_email: sender, to, subject, html: html(subject) })).id;
}

/** Makes the template it sends by. */
export async function byTemplate(doors: Doors): Promise<Send> {
  const template = await post(doors, '/api/templates', {
    name: 'order',
    subject: '{{ title }}',
    html: html('{{ title }}'),
  });
  return async (to, title) => {
    const body = { from_email: sender, to, params: { title } };
    return (await post(doors, `/v1/email/templates/${template.id}/messages`, body)).id;
  };
}

export function bySmtp({ submission, smtp }: Doors): Send {
  const transport = createTransport({
    host: submission.host,
    port: submission.port,
    auth: { user: smtp.username, pass: smtp.password },
    // The demo's certificate is self-signed.
    tls: { rejectUnauthorized: false },
  });
  return async (to, subject) => {
    const { response } = await transport.sendMail({ from: sender, to, subject, html: html(subject) });
    return Number(/queued as (\d+)/.exec(response)?.[1]);
  };
}
