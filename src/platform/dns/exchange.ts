/**
 * One question to one name server: by UDP, and by TCP when the answer was cut short (RFC 1035, RFC 7766). Only what
 * comes from that server, with our id and our question, counts as its answer.
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import * as packet from 'dns-packet';
import type { Clock, Random } from '../clock.ts';

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

/** The types of record that delivery asks for. */
export type RecordType = 'MX' | 'A' | 'AAAA' | 'TXT' | 'TLSA' | 'CNAME';

export interface Response {
  readonly rcode: string;
  /** The server vouches for it (RFC 4035, AD bit). */
  readonly authenticated: boolean;
  readonly answers: readonly packet.Answer[];
  readonly authorities: readonly packet.Answer[];
}

/** No answer that can be used: silence, no connection, or not DNS. */
export class NameServerError extends Error {
  override readonly name = 'NameServerError';
}

interface ExchangeTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
}

/** What a UDP answer may have without being cut by a network on its way (DNS flag day 2020). */
const udpPayloadBytes = 1232;

/** @throws NameServerError */
export async function exchange(
  server: NameServer,
  question: { readonly name: string; readonly type: RecordType },
  tools: ExchangeTools,
): Promise<Response> {
  const id = tools.random.bytes(2).readUInt16BE();
  const query = packet.encode({
    type: 'query',
    id,
    // AD in a query asks for AD in the answer (RFC 6840 section 5.7).
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA,
    questions: [{ ...question, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpPayloadBytes,
        flags: 0,
        extendedRcode: 0,
        ednsVersion: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  const understand = (bytes: Buffer) => understood(bytes, id, question);
  const first = await inTime(tools, (finish) => askByUdp(server, query, understand, finish));
  if (!first.flag_tc) return responseOf(first);
  return responseOf(await inTime(tools, (finish) => askByTcp(server, query, understand, finish)));
}

type Decoded = packet.DecodedPacket & { readonly rcode?: string };
type Finish = (result: Decoded | Error) => void;

/** Runs one way of asking until it finishes or the time is up. @param ask returns what ends it */
async function inTime(
  { clock, timeoutMs }: ExchangeTools,
  ask: (finish: Finish) => () => void,
): Promise<Decoded> {
  const over = new AbortController();
  let result: Decoded | Error = new NameServerError('no answer in time');
  const end = ask((found) => {
    if (!over.signal.aborted) result = found;
    over.abort();
  });
  await clock.sleep(timeoutMs, over.signal);
  end();
  if (result instanceof Error) throw new NameServerError(result.message, { cause: result });
  return result;
}

function askByUdp(
  { address, port }: NameServer,
  query: Buffer,
  understand: (bytes: Buffer) => Decoded | undefined,
  finish: Finish,
): () => void {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', finish);
  socket.on('message', (bytes) => {
    const answer = understand(bytes);
    if (answer !== undefined) finish(answer);
  });
  // Connected, so that the system drops what comes from elsewhere, and tells us when nobody listens.
  socket.connect(port, address, () => socket.send(query));
  return () => socket.close();
}

function askByTcp(
  { address, port }: NameServer,
  query: Buffer,
  understand: (bytes: Buffer) => Decoded | undefined,
  finish: Finish,
): () => void {
  const socket = connect({ host: address, port });
  let received = Buffer.alloc(0);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.byteLength);
  socket.on('error', finish);
  socket.on('close', () => finish(new Error('the server closed the connection')));
  socket.on('connect', () => socket.write(Buffer.concat([length, query])));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.byteLength < 2 || received.byteLength < 2 + received.readUInt16BE()) return;
    finish(
      understand(received.subarray(2, 2 + received.readUInt16BE())) ??
        new Error('not an answer to our question'),
    );
  });
  return () => socket.destroy();
}

function understood(
  bytes: Buffer,
  id: number,
  { name, type }: { name: string; type: RecordType },
): Decoded | undefined {
  try {
    const answer: Decoded = packet.decode(bytes);
    const [question] = answer.questions ?? [];
    const ours =
      answer.flag_qr &&
      answer.id === id &&
      question?.type === type &&
      question.name.toLowerCase() === name.toLowerCase();
    return ours ? answer : undefined;
  } catch {
    return undefined;
  }
}

function responseOf(decoded: Decoded): Response {
  return {
    rcode: decoded.rcode ?? 'NOERROR',
    authenticated: decoded.flag_ad,
    answers: decoded.answers ?? [],
    authorities: decoded.authorities ?? [],
  };
}
