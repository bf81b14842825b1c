/**
 * A bucket in memory behind S3's protocol, for faults that no real store shows on demand. It checks no signature: a real
 * one does that (`swift.ts`).
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ObjectPlace } from '../../src/store/objects/bodies.ts';

/** `drop`: the connection ends without an answer. `silence`: no answer comes. A number: that status, and nothing is done. */
export type Fault = 'drop' | 'silence' | number;

export interface ObjectServer extends AsyncDisposable {
  readonly place: ObjectPlace;
  readonly objects: Map<string, Buffer>;
  /** As `PUT key`, in the order in which they came. */
  readonly requests: string[];
  /** What goes wrong with a request; undefined if nothing does. */
  fault: (method: string, key: string) => Fault | undefined;
}

const bucket = 'mail';
const prefix = 'aftersend/';

export async function startObjectServer(): Promise<ObjectServer> {
  const objects = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const shown: ObjectServer = {
    place: {
      endpoint: `http://127.0.0.1:${port}`,
      bucket,
      prefix,
      region: 'us-east-1',
      accessKey: 'name',
      secretKey: 'a secret',
    },
    objects,
    requests,
    fault: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://host');
    const key = pathname.slice(bucket.length + 2);
    requests.push(`${method} ${key}`);
    const content = await buffer(request);
    const fault = shown.fault(method, key);
    if (fault === 'drop') return void request.socket.destroy();
    if (fault === 'silence') return;
    if (fault !== undefined) return refuse(response, fault, 'InternalError');
    if (method === 'PUT') objects.set(key, content);
    if (method === 'DELETE') objects.delete(key);
    if (method !== 'GET') return void response.writeHead(method === 'DELETE' ? 204 : 200).end();
    if (key === '') return list(response, searchParams);
    const object = objects.get(key);
    if (object === undefined) return refuse(response, 404, 'NoSuchKey');
    response.writeHead(200).end(object);
  }

  function list(response: ServerResponse, query: URLSearchParams): void {
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '')).sort();
    const shown = keys.slice(0, Number(query.get('max-keys')));
    const contents = shown.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
    response.writeHead(200).end(`<ListBucketResult>${contents}</ListBucketResult>`);
  }

  return shown;
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<Error><Code>${code}</Code><Message>As the test says</Message></Error>`);
}
