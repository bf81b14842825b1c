/** The built-in receiver: takes what is its own and nothing else, shows each account its own, connects to nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuiltInReceiver } from '../../src/webhooks/built-in-receiver.ts';
import { type PostResult, targetOf } from '../../src/webhooks/post.ts';
import type { SimulatorStore } from '../../src/store/contract/simulator.ts';
import { StoreBusyError } from '../../src/store/contract/store.ts';
import { ManualClock } from '../support/manual-clock.ts';

const signal = new AbortController().signal;
const request = (url: string, body = '[]') => ({
  target: targetOf(new URL(url)),
  headers: ['content-type', 'application/json', 'webhook-id', 'b1'],
  body: Buffer.from(body),
});

test('an account’s address takes requests without a connection; a guessed one and everybody else’s do not', async () => {
  const kept: Parameters<SimulatorStore['receive']>[0][] = [];
  const receiver = new BuiltInReceiver(Buffer.alloc(32, 1), new ManualClock(), {
    receive: async (input) => void kept.push(input),
    received: async (id) =>
      kept.filter(({ accountId }) => accountId === id).map((one, number) => ({ ...one, number })),
  });
  const passed: string[] = [];
  const post = receiver.before(async ({ target: { url } }): Promise<PostResult> => {
    passed.push(url.href);
    return { kind: 'unanswered', reason: 'the network' };
  });
  const status = async (url: string) => {
    const result = await post(request(url), signal);
    return result.kind === 'answered' ? result.status : result.kind;
  };
  assert.equal(await status(receiver.urlOf(1)), 200);
  assert.equal(await status(receiver.urlOf(1).replace('/1/', '/2/')), 404, 'the proof is another account’s');
  assert.equal(await status('http://receiver.simulator.test/1/'), 404);
  assert.deepEqual(passed, []);
  assert.equal(await status('https://example.com/hook'), 'unanswered');
  assert.deepEqual(passed, ['https://example.com/hook']);
  assert.deepEqual(
    (await receiver.requests(1)).map(({ headers, body }) => [headers['webhook-id'], body]),
    [['b1', '[]']],
  );
  assert.deepEqual(await receiver.requests(2), []);
});

test('what the store does not take is not received, and nobody is asked for its name', async () => {
  const receiver = new BuiltInReceiver(Buffer.alloc(32, 1), new ManualClock(), {
    receive: async () => {
      throw new StoreBusyError('full');
    },
    received: async () => [],
  });
  const post = receiver.before(async () => assert.fail('nothing goes on'));
  assert.partialDeepStrictEqual(await post(request(receiver.urlOf(1)), signal), { status: 503 });
  const resolve = receiver.beforeResolve(async (name) => [name]);
  await assert.rejects(resolve('receiver.simulator.test'), /inside the service/);
  assert.deepEqual(await resolve('example.com'), ['example.com']);
});
