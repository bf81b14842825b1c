/** The console has words, in both languages, for what the API may tell it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../../console/src/words/en.ts';
import { ru } from '../../console/src/words/ru.ts';
import { TestService } from '../support/service.ts';

/** Changes that the audit log does not note: they concern nobody else, or are told otherwise. */
const unnoted = new Set([
  'signIn',
  'acceptInvitation',
  'lookAtInvitation',
  'switchAccount',
  'proposeSecondFactor',
  'previewTemplate',
]);

interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
}

test('what stands in the audit log is said in words', async () => {
  await using service = await TestService.start();
  const { paths } = (await (await fetch(`${service.url}/api/openapi.json`)).json()) as ApiDocument;
  const changes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([, methods]) => Object.entries(methods))
    .filter(([method]) => method !== 'get')
    .map(([, { operationId }]) => operationId)
    .filter((operation) => !unnoted.has(operation));
  assert.ok(changes.length > 30, 'the document tells of the routes');
  for (const { audit } of [en, ru]) {
    const wordless = changes.filter((operation) => audit.actions[operation] === undefined);
    assert.deepEqual(wordless, []);
  }
});

/** Names of all that is said, and whether it is a text or a function, in order. */
function shapeOf(words: object, path = ''): readonly string[] {
  return Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? shapeOf(value, `${path}${name}.`)
      : [`${path}${name} ${typeof value}`],
  );
}

test('both languages say the same things, down to the words that are looked up by name', () => {
  assert.deepEqual(shapeOf(ru).toSorted(), shapeOf(en).toSorted());
});
