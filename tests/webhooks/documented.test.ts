/** The examples of the dialects' pages are what the code writes: `UPDATE_DOCS=1` writes them there. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import type { LoggedEvent } from '../../src/events/types.ts';
import { dialects } from '../../src/webhooks/dialects.ts';

const clicked: LoggedEvent = {
  id: 90210,
  accountId: 1,
  messageId: 4711,
  number: 3,
  type: 'clicked',
  timeMs: Date.UTC(2026, 10, 21, 17, 55, 4, 123),
  recipient: 'ann@example.org',
  sender: 'shop@example.com',
  subject: 'Your order 12345 is on its way',
  code: '',
  enhancedCode: '',
  response: '',
  url: 'https://example.com/orders/12345',
  firstRefusal: false,
  visitor: 'human',
  tagsJson: '["order"]',
  metadataJson: '{"order":"12345"}',
  detailJson:
    '{"userAgent":"Mozilla/5.0","address":"192.0.2.7","visitor":"human","confidence":0.8,"reason":"a browser","first":true}',
};
const marked = /<!-- example -->(\n+```json\n[\s\S]*?```)?/;

for (const dialect of dialects.values()) {
  const file = join(import.meta.dirname, `../../docs/dialects/${dialect.name}.md`);
  test(`${dialect.name} has a page with its fields, types and options`, () => {
    const page = readFileSync(file, 'utf8');
    for (const name of Object.values(dialect.eventNames)) {
      assert.ok(page.includes(name) || page.includes(name.replace(/[a-z]+$/, 'TYPE')), name);
    }
    for (const option of Object.keys(dialect.options.properties))
      assert.ok(page.includes(`\`${option}\``), option);
  });

  if (!marked.test(readFileSync(file, 'utf8'))) continue;
  test(`the example on the page of ${dialect.name} is what the code writes`, () => {
    const page = readFileSync(file, 'utf8');
    const options = Value.Default(dialect.options, {}) as Record<string, unknown>;
    const text = dialect.write(clicked, options, { webhookId: 5, number: 128, replayId: 0 }) ?? '';
    const body: unknown = JSON.parse(dialect.framing(options) === 'array' ? `[${text}]` : text);
    const wanted = page.replace(
      marked,
      () => `<!-- example -->\n\n\`\`\`json\n${JSON.stringify(body, undefined, 2)}\n\`\`\``,
    );
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
    assert.equal(readFileSync(file, 'utf8'), wanted);
  });
}
