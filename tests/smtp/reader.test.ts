/** Bytes to lines and content, cut at every place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type ContentBounds, SmtpReader } from '../../src/platform/smtp/reader.ts';

const bounds: ContentBounds = {
  messageBytes: 1000,
  lineBytes: 100,
  discardBytes: 500,
  reserve: () => true,
};

/** Reads one message from `bytes` that come in the given pieces; `after` is what was left behind it. */
function read(bytes: Buffer, cuts: readonly number[] = [], changes: Partial<ContentBounds> = {}) {
  const reader = new SmtpReader(100);
  reader.startContent({ ...bounds, ...changes });
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < edges.length; i++) {
    reader.push(bytes.subarray(edges[i - 1], edges[i]));
    const result = reader.readContent();
    if (result === undefined) continue;
    return { result, waiting: reader.waitingBytes + bytes.length - (edges[i] ?? 0) };
  }
  return undefined;
}

const dotStuffed = (content: string) => content.replaceAll(/^\./gm, '..');

test('any content with CRLF line ends comes out as it went in, however it is cut', () => {
  const word = fc.constantFrom('.', '..', '\r\n', 'a', 'x.y', '\r\n.\r\n', '\r\n..', ' ', 'é');
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 8 }), (words, cuts) => {
      const content = `${words.join('')}\r\n`;
      const wire = Buffer.from(`${dotStuffed(content)}.\r\nQUIT\r\n`);
      const got = read(wire, cuts);
      assert.equal(got?.result.kind, 'message');
      assert.equal(got.result.kind === 'message' && got.result.content.toString(), content);
      assert.equal(got.waiting, 'QUIT\r\n'.length);
    }),
  );
});

test('an empty message is one', () => {
  const got = read(Buffer.from('.\r\n'));
  assert.deepEqual(got?.result, { kind: 'message', content: Buffer.alloc(0) });
});

test('no CR or LF that stands alone gets through, and none ends a message, however it is cut', () => {
  const stray = fc.constantFrom(
    '\n.\n',
    '\n.\r\n',
    '\r.\r\n',
    '\r\n.\n',
    '\r\n.\r',
    '\r.\r',
    '\n',
    '\r',
    '\r\r\n',
  );
  fc.assert(
    fc.property(stray, fc.array(fc.nat(), { maxLength: 6 }), (ending, cuts) => {
      const got = read(Buffer.from(`Subject: a\r\n\r\nfirst${ending}MAIL FROM:<x@y>\r\n.\r\n`), cuts);
      assert.deepEqual(got?.result, { kind: 'bare-line-end' });
    }),
  );
});

test('what is too large, has too long a line or finds no room is read to its end and dropped', () => {
  const message = (content: string) => Buffer.from(`${content}\r\n.\r\n`);
  const lines = 'x'.repeat(98).concat('\r\n');
  assert.equal(read(message(lines.repeat(10)))?.result.kind, 'too-large');
  assert.equal(read(message(lines.repeat(9)))?.result.kind, 'message');
  assert.equal(read(message('x'.repeat(100)))?.result.kind, 'message');
  assert.equal(read(message('x'.repeat(101)))?.result.kind, 'line-too-long');
  assert.equal(read(message('x'.repeat(101)), [50, 101])?.result.kind, 'line-too-long');
  assert.equal(read(message('x'), [], { reserve: () => false })?.result.kind, 'no-room');
  assert.equal(read(Buffer.from(lines.repeat(16)))?.result.kind, 'endless');
});

test('a command line that is too long is reported once, and the next one is read', () => {
  const reader = new SmtpReader(10);
  for (const piece of [
    'NOOP\r\nNO',
    'OP\n',
    'x'.repeat(8),
    'x'.repeat(8),
    'y\r\nRS',
    'ET\r\n',
    '12345678901\r\n',
  ]) {
    reader.push(Buffer.from(piece));
    if (piece === 'NO') assert.equal(reader.readLine(), undefined);
  }
  const lines = [];
  for (let line = reader.readLine(); line !== undefined; line = reader.readLine()) lines.push(String(line));
  assert.deepEqual(lines, ['NOOP', 'NOOP', 'too-long', 'RSET', 'too-long']);
});
