/**
 * What the demo's user would have written: a small HTTP server that takes webhooks of both dialects and notes each
 * event it is told of. It reads the bodies as the two vendors' documents describe them and knows nothing of Aftersend.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ToldEvent {
  readonly dialect: 'sendpulse' | 'msndr';
  /** The name that the dialect gives the event. */
  readonly name: string;
  /** Undefined where the dialect leaves it out (`unsubscribed` of sendpulse). */
  readonly messageId: number | undefined;
  readonly recipient: string | undefined;
  /** What else is worth a look: a server's answer, a link. */
  readonly note: string;
}

interface SendpulseEvent {
  event: string;
  message_id?: number;
  recipient: string;
  smtp_server_response_code?: string;
  smtp_server_response?: string;
}

interface MsndrEvent {
  message: { id: number };
  event: { name: string; data: { url?: string } };
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
}

/** @param onEvent called for each event, in the order of arrival */
export async function startReceiver(onEvent: (event: ToldEvent) => void): Promise<Receiver> {
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readJson(request);
    const events =
      request.url === '/sendpulse'
        ? (body as SendpulseEvent[]).map(fromSendpulse)
        : [fromMsndr(body as MsndrEvent)];
    for (const event of events) onEvent(event);
    response.end('ok');
  };
  const server = createServer((request, response) => void take(request, response));
  await listen(server);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function fromSendpulse(event: SendpulseEvent): ToldEvent {
  const answer = [event.smtp_server_response_code, event.smtp_server_response].filter(Boolean).join(' ');
  return {
    dialect: 'sendpulse',
    name: event.event,
    messageId: event.message_id,
    recipient: event.recipient,
    note: answer,
  };
}

function fromMsndr({ message, event }: MsndrEvent): ToldEvent {
  return {
    dialect: 'msndr',
    name: event.name,
    messageId: message.id,
    recipient: undefined,
    note: event.data.url ?? '',
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
