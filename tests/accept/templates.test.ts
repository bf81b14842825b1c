/** Templates: what they can do, and that none of them can run away with the service. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { checkTemplate, renderTemplate, TemplateError } from '../../src/accept/templates/render.ts';

const html = (source: string, params: Record<string, unknown> = {}, missing: 'error' | 'empty' = 'error') =>
  renderTemplate({ subject: '', html: source, text: undefined }, params, missing).html;

const refusal = (reason: TemplateError['reason']) => (error: unknown) =>
  error instanceof TemplateError && error.reason === reason;

describe('rendering', () => {
  test('values are escaped in HTML alone, and raw on request', () => {
    const parts = { subject: ' {{ v }} ', html: '<p>{{ v }}|{{ v | raw }}</p>', text: '{{ v }}' };
    assert.deepEqual(renderTemplate(parts, { v: '<b> & "я"' }, 'error'), {
      subject: '<b> & "я"',
      html: '<p>&lt;b&gt; &amp; &#34;я&#34;|<b> & "я"</p>',
      text: '<b> & "я"',
    });
  });

  test('no value can bring markup into HTML', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        assert.doesNotMatch(html('{{ v }}', { v: value }) ?? '', /[<>"']/);
      }),
      { numRuns: 50 },
    );
  });

  test('a missing variable is an error or empty, as the template says; asking for it is neither', () => {
    assert.throws(() => html('Hi {{ user.name }}', { user: {} }), refusal('template-variable-missing'));
    assert.equal(html('Hi {{ user.name }}!', {}, 'empty'), 'Hi !');
    assert.equal(html('{% if user.name %}a{% else %}b{% endif %}{{ x | default: "c" }}'), 'bc');
  });

  test('what is no Liquid is found before anything is sent', () => {
    for (const source of ['{% if x %}', '{{ x | no_such_filter }}', '{% no_such_tag %}', '{{']) {
      const parts = { subject: '', html: undefined, text: source };
      assert.throws(() => checkTemplate(parts), refusal('template-invalid'), source);
    }
  });
});

describe('a hostile template', () => {
  const runaways: Readonly<Record<string, string>> = {
    'a huge range': '{% for i in (1..1000000000) %}x{% endfor %}',
    'nested loops': '{% for i in (1..99999) %}{% for j in (1..99999) %}{% endfor %}{% endfor %}',
    'a string that doubles':
      '{% assign s = "ab" %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}',
    'a capture that doubles':
      '{% assign s = "ab" %}{% for i in (1..60) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}',
    'text that is repeated': `{% for i in (1..99999) %}${'long text '.repeat(100)}{% endfor %}`,
    'a padded date': '{{ "2020-01-01" | date: "%999999999d" }}',
    'a replacement': '{{ big | replace: "x", big }}',
    'an included file': '{% include "/etc/hostname" %}',
    'a rendered file': '{% render "/etc/hostname" %}',
    'a layout file': '{% layout "/etc/hostname" %}',
  };
  for (const [name, source] of Object.entries(runaways)) {
    test(`stops: ${name}`, () => {
      assert.throws(() => html(source, { big: 'x'.repeat(100_000) }), refusal('template-failed'));
    });
  }

  test('stops: blocks nested deeper than the stack', () => {
    const deep = '{% if true %}'.repeat(30_000) + '{% endif %}'.repeat(30_000);
    assert.throws(() => html(deep), TemplateError);
  });

  test('sees no prototypes', () => {
    const source = '{{ x.constructor }}{{ x.__proto__ }}{{ constructor }}{{ "a".constructor }}';
    assert.equal(html(source, { x: {} }, 'empty'), '');
  });
});
