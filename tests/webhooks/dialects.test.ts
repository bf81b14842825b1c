/** The dialects, byte for byte: the vendors' own examples, and whatever text an event may hold. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Value } from 'typebox/value';
import { type EventType, eventTypes, type LoggedEvent } from '../../src/events/types.ts';
import { dialectNamed, dialects } from '../../src/webhooks/dialects.ts';

const base: LoggedEvent = {
  id: 7,
  accountId: 1,
  messageId: 1149317311,
  number: 2,
  type: 'opened',
  timeMs: 0,
  recipient: 'doe.john@sendpulse.com',
  sender: 'john.doe@sendpulse.com',
  subject: 'utf8_hello_world',
  code: '',
  enhancedCode: '',
  response: '',
  url: '',
  firstRefusal: false,
  visitor: '',
  tagsJson: '[]',
  metadataJson: '{}',
  detailJson: '{}',
};

const place = { webhookId: 5, number: 9, replayId: 0 };

function write(name: string, event: Partial<LoggedEvent>, options: object = {}): string | undefined {
  const dialect = dialectNamed(name);
  const whole = Value.Default(dialect.options, { ...options }) as Record<string, unknown>;
  return dialect.write({ ...base, ...event }, whole, place);
}

describe('sendpulse', () => {
  const response = 'custom_text_response_from_recipients_server';
  /** The vendor's examples, with the spaces of their layout taken out. */
  const examples: readonly (readonly [string, Partial<LoggedEvent>, string])[] = [
    [
      'delivered',
      { type: 'delivered', code: '250', response, timeMs: 1490953933_000 },
      '{"smtp_server_response_code":"250","smtp_server_response_subcode":"","sender":"john.doe@sendpulse.com","smtp_server_response":"custom_text_response_from_recipients_server","timestamp":1490953933,"message_id":1149317311,"recipient":"doe.john@sendpulse.com","event":"delivered","subject":"utf8_hello_world"}',
    ],
    [
      'undelivered',
      { type: 'bounced', code: '554', enhancedCode: '5.7.1', response, timeMs: 1490956117_999 },
      '{"smtp_server_response_code":"554","smtp_server_response_subcode":"5.7.1","sender":"john.doe@sendpulse.com","smtp_server_response":"custom_text_response_from_recipients_server","timestamp":1490956117,"message_id":1149317311,"recipient":"doe.john@sendpulse.com","event":"undelivered","subject":"utf8_hello_world"}',
    ],
    [
      'opened',
      { type: 'opened', timeMs: 1490962764_000 },
      '{"event":"opened","timestamp":1490962764,"message_id":1149317311,"recipient":"doe.john@sendpulse.com","sender":"john.doe@sendpulse.com","subject":"utf8_hello_world"}',
    ],
    [
      'clicked, without its URL',
      { type: 'clicked', timeMs: 1490964928_000, url: 'https://example.com/' },
      '{"event":"clicked","timestamp":1490964928,"message_id":1149317311,"recipient":"doe.john@sendpulse.com","sender":"john.doe@sendpulse.com","subject":"utf8_hello_world"}',
    ],
    [
      'unsubscribed, with four fields',
      {
        type: 'unsubscribed',
        recipient: 'john.doe@sendpulse.com',
        sender: 'doe.john@sendpulse.com',
        subject: 'hello world',
      },
      '{"event":"unsubscribed","recipient":"john.doe@sendpulse.com","sender":"doe.john@sendpulse.com","subject":"hello world"}',
    ],
    [
      'spam_by_user',
      { type: 'complained', timeMs: 1490964607_000, messageId: 1145317311 },
      '{"event":"spam_by_user","timestamp":1490964607,"message_id":1145317311,"recipient":"doe.john@sendpulse.com","sender":"john.doe@sendpulse.com","subject":"utf8_hello_world"}',
    ],
  ];
  for (const [name, event, expected] of examples) {
    test(`the vendor's example of ${name}`, () => assert.equal(write('sendpulse', event), expected));
  }

  test('unsubscribed has time and message when that is switched on', () => {
    assert.equal(
      write('sendpulse', { type: 'unsubscribed', timeMs: 5_000 }, { unsubscribed_details: true }),
      '{"event":"unsubscribed","timestamp":5,"message_id":1149317311,"recipient":"doe.john@sendpulse.com","sender":"john.doe@sendpulse.com","subject":"utf8_hello_world"}',
    );
  });
});

describe('msndr', () => {
  const told = (name: string, data = '{}') =>
    `{"message":{"id":1},"event":{"name":"${name}","timestamp":1539062173,"data":${data}}}`;
  const names: readonly (readonly [Partial<LoggedEvent>, string | undefined])[] = [
    [{ type: 'clicked', url: 'https://example.com' }, told('clicked', '{"url":"https://example.com"}')],
    [{ type: 'delivered' }, told('delivered')],
    [{ type: 'opened' }, told('opened')],
    [{ type: 'unsubscribed' }, told('unsubscribed')],
    [{ type: 'complained' }, told('complined')],
    [{ type: 'skipped' }, told('skipped')],
    [{ type: 'deferred', firstRefusal: true }, told('soft_bounced')],
    [{ type: 'deferred', firstRefusal: false }, undefined],
    [{ type: 'bounced' }, told('hard_bounced')],
    [{ type: 'accepted' }, undefined],
  ];
  for (const [event, expected] of names) {
    test(`${event.type}${event.firstRefusal === false ? ', again' : ''} is written as the contract says`, () => {
      assert.equal(write('msndr', { messageId: 1, timeMs: 1539062173_500, ...event }), expected);
    });
  }

  test('complained is spelled as the endpoint wants it', () => {
    const event: Partial<LoggedEvent> = { messageId: 1, timeMs: 1539062173_000, type: 'complained' };
    assert.equal(write('msndr', event, { complained_as: 'complained' }), told('complained'));
  });
});

describe('every dialect', () => {
  /** Also control characters, quotes, both kinds of line ends, and halves of surrogate pairs. */
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom('"', '\\', '\n', '\r', '\0', '\ud800', '\udc00', 'ё', '😀', '\u2028', 'a'),
    }),
  );
  /** Without backslashes: after a name `\\`, JSON.parse misreads other escaped names (nodejs/node#63785, open in 26.10). */
  const name = text.filter((name) => !name.includes('\\'));
  const event: fc.Arbitrary<LoggedEvent> = fc.record({
    id: fc.nat(),
    accountId: fc.nat(),
    messageId: fc.maxSafeNat(),
    number: fc.nat(),
    type: fc.constantFrom(...eventTypes),
    timeMs: fc.nat({ max: 4e12 }),
    recipient: text,
    sender: text,
    subject: text,
    code: text,
    enhancedCode: text,
    response: text,
    url: text,
    firstRefusal: fc.boolean(),
    visitor: fc.constantFrom('', 'human', 'proxy', 'machine'),
    tagsJson: fc.array(text).map((tags) => JSON.stringify(tags)),
    metadataJson: fc.dictionary(name, text).map((fields) => JSON.stringify(fields)),
    detailJson: fc.constant('{}'),
  });

  for (const dialect of dialects.values()) {
    const options = Value.Default(dialect.options, {}) as Record<string, unknown>;

    test(`${dialect.name} writes what JSON.stringify would, whatever an event holds, as well-formed UTF-8`, () => {
      fc.assert(
        fc.property(event, (event) => {
          const written = dialect.write(event, options, place);
          if (written === undefined) return;
          assert.equal(JSON.stringify(JSON.parse(written)), written);
          assert.ok(written.isWellFormed());
        }),
      );
    });

    test(`${dialect.name} leaves machines out where its endpoint says so`, () => {
      for (const visitor of ['human', 'proxy', 'machine'] as const) {
        const opened = { ...base, type: 'opened', visitor } as const;
        assert.notEqual(dialect.write(opened, options, place), undefined);
        const written = dialect.write(opened, { ...options, leave_out_machines: true }, place);
        assert.equal(written === undefined, visitor === 'machine', visitor);
      }
    });

    test(`${dialect.name} tells just the types that it has names for`, () => {
      for (const type of eventTypes) {
        const written = dialect.write({ ...base, type, firstRefusal: true }, options, place);
        const name = (dialect.eventNames as Partial<Record<EventType, string>>)[type];
        assert.equal(written?.includes(`"${name}"`) ?? false, name !== undefined, type);
      }
    });
  }
});
