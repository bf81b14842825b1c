/** A name server on loopback that holds the records a test gives it. It answers by UDP and TCP. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import * as packet from 'dns-packet';

export interface NameServerFixture extends AsyncDisposable {
  readonly address: string;
  /** The questions in the order in which they came, as `MX example.org`. */
  readonly asked: string[];
}

export interface Zone {
  readonly records: readonly packet.Answer[];
  /** Names for which the answer is this code. */
  readonly failing?: Readonly<Record<string, number>>;
  /** UDP answers are cut short, so that the question has to come again by TCP. */
  readonly onlyTcp?: boolean;
}

const authoritative = packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE;
const nxdomain = 3;

export async function startNameServer({
  records,
  failing = {},
  onlyTcp = false,
}: Zone): Promise<NameServerFixture> {
  const asked: string[] = [];
  const answerTo = (bytes: Buffer, byTcp: boolean): Buffer => {
    const { id = 0, questions = [] } = packet.decode(bytes);
    const [question] = questions;
    const name = question?.name.toLowerCase() ?? '';
    asked.push(`${question?.type ?? ''} ${name}`);
    const exists = records.some((record) => record.name === name);
    const cut = onlyTcp && !byTcp;
    const found = cut
      ? []
      : records.filter((record) => record.name === name && ['CNAME', question?.type].includes(record.type));
    const rcode = failing[name] ?? (exists ? 0 : nxdomain);
    return packet.encode({
      type: 'response',
      id,
      flags: authoritative | rcode | (cut ? packet.TRUNCATED_RESPONSE : 0),
      questions,
      answers: rcode === 0 ? found : [],
    });
  };

  const tcp = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      const answer = answerTo(chunk.subarray(2), true);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.byteLength);
      // In two pieces: nobody promised that an answer comes in one.
      socket.write(length);
      socket.end(answer);
    });
    socket.on('error', () => {});
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    // Junk and other people's answers come first: neither may be believed.
    udp.send(Buffer.from('junk'), from.port, from.address);
    const answer = answerTo(bytes, false);
    const forged = Buffer.from(answer);
    forged.writeUInt16BE((answer.readUInt16BE() + 1) & 0xffff);
    udp.send(forged, from.port, from.address);
    udp.send(answer, from.port, from.address);
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');

  return {
    address: `127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      udp.close();
      tcp.close();
      await once(tcp, 'close');
    },
  };
}
