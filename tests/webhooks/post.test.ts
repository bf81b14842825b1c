/** One POST to receivers that misbehave in every way: bounded in time, in what is read, and never led elsewhere. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { guardedAgent } from '../../src/platform/guard-agent.ts';
import { systemResolve } from '../../src/platform/guard-resolve.ts';
import { openPost, type PostResult, targetOf } from '../../src/webhooks/post.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { loopbackGuard } from './world.ts';

const never = new AbortController().signal;

/** Posts to a raw TCP server that behaves as told once the request's head has come. */
async function postTo(
  behave: (socket: Socket) => void,
  meanwhile: (clock: ManualClock) => Promise<void> = async () => undefined,
): Promise<PostResult> {
  const clock = new ManualClock();
  const dispatcher = guardedAgent(loopbackGuard, systemResolve());
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => behave(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const asked = once(server, 'connection').then(([socket]) => once(socket as Socket, 'data'));
  const target = targetOf(new URL(`http://127.0.0.1:${port}/`));
  const result = openPost(dispatcher, clock).post({ target, headers: [], body: Buffer.from('{}') }, never);
  await asked;
  await meanwhile(clock);
  try {
    return await result;
  } finally {
    await dispatcher.destroy();
    server.close();
  }
}

const head = (length: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`;
const tooLate: PostResult = { kind: 'unanswered', reason: 'no answer within 30 s' };

describe('a receiver that', () => {
  test('answers', async () => {
    const result = await postTo((socket) => socket.end(`${head(5)}taken`));
    assert.deepEqual(result, {
      kind: 'answered',
      status: 200,
      body: Buffer.from('taken'),
      retryAfter: '',
      timings: { firstByteMs: 0 },
    });
  });

  test('hangs before its answer is given up after 30 s', async () => {
    assert.deepEqual(
      await postTo(
        () => undefined,
        (clock) => clock.advance(30_000),
      ),
      tooLate,
    );
  });

  test('hangs in the middle of its answer is given up after 30 s, whatever its status was', async () => {
    const result = postTo(
      (socket) => socket.write(`${head(10)}half`),
      (clock) => clock.advance(30_000),
    );
    assert.deepEqual(await result, tooLate);
  });

  test('answers byte by byte gets no more than the same 30 s', async () => {
    const result = await postTo(
      (socket) => socket.write(head(1000)),
      async (clock) => {
        for (let second = 0; second < 30; second += 1) await clock.advance(1_000);
      },
    );
    assert.deepEqual(result, tooLate);
  });

  test('sends ten megabytes is read for 64 KiB and cut off', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const result = await postTo((socket) => {
      closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(head(10_000_000));
      socket.write(Buffer.alloc(10_000_000, 'x'));
    });
    assert.equal(result.kind === 'answered' && result.body.length, 64 * 1024);
    await closed;
  });

  test('redirects is not followed', async () => {
    const result = await postTo((socket) =>
      socket.end('HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n'),
    );
    assert.deepEqual(result, {
      kind: 'answered',
      status: 307,
      body: Buffer.alloc(0),
      retryAfter: '',
      timings: { firstByteMs: 0 },
    });
  });

  test('closes the connection without an answer is told so', async () => {
    const result = await postTo((socket) => socket.destroy());
    assert.deepEqual(result, { kind: 'unanswered', reason: 'the connection was closed before the answer' });
  });

  test('talks something else than HTTP fails with its reason', async () => {
    const result = await postTo((socket) => socket.end('220 mail.example ESMTP\r\n'));
    assert.equal(result.kind, 'unanswered');
  });

  test('does not listen is told so', async () => {
    const dispatcher = guardedAgent(loopbackGuard, systemResolve());
    const { post } = openPost(dispatcher, new ManualClock());
    const to = (url: string) => ({ target: targetOf(new URL(url)), headers: [], body: Buffer.from('{}') });
    assert.deepEqual(await post(to('http://127.0.0.1:21999/'), never), {
      kind: 'unanswered',
      reason: 'the connection was refused',
    });
    const gone = await post(to('http://[::1]:21999/'), never);
    assert.deepEqual(gone, { kind: 'unanswered', reason: '::1 has an address that is not public' });
    await dispatcher.destroy();
  });
});

test('one signal gives up all of its requests at once, under way or still waiting, and nobody else’s', async () => {
  const dispatcher = guardedAgent(loopbackGuard, systemResolve());
  const { post } = openPost(dispatcher, new ManualClock());
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = targetOf(new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/`));
  const request = { target, headers: [], body: Buffer.from('{}') };
  const mine = new AbortController();
  const others = post(request, never);
  const early = post(request, mine.signal);
  await once(server, 'connection');
  const late = post(request, mine.signal);
  mine.abort();
  assert.deepEqual(await Promise.all([early, late]), [{ kind: 'aborted' }, { kind: 'aborted' }]);
  assert.deepEqual(await post(request, mine.signal), { kind: 'aborted' }, 'nor does one begin after it');
  for (const socket of sockets) socket.write(head(0));
  const { kind } = await others;
  assert.equal(kind, 'answered');
  await dispatcher.destroy();
  server.close();
});
