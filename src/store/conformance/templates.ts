/** Templates: kept as written, told by name and time, seen by their own account alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TemplateContent } from '../contract/templates.ts';
import { anAccount, type OpenStore, startMs } from './fixtures.ts';

const content: TemplateContent = {
  name: 'welcome',
  fromAddress: 'shop@example.com',
  fromName: 'Shop',
  subject: 'Hello {{ name }}',
  html: '<p>Привет, {{ name }}</p>',
  text: undefined,
  missingVariables: 'error',
  listUnsubscribe: true,
};

export function templatesConformance(open: OpenStore): void {
  describe('templates', () => {
    test('come back as they were written, by id and by name, to their own account only', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const created = await store.templates.create({ accountId: acme.id, content, atMs: startMs });
      assert.equal(created.kind, 'created');
      const { id } = created.value;
      const expected = { id, accountId: acme.id, ...content, createdAtMs: startMs, updatedAtMs: startMs };
      assert.deepEqual(created.value, expected);
      assert.deepEqual(await store.templates.byId(acme.id, id), expected);
      assert.deepEqual(await store.templates.byName(acme.id, 'welcome'), expected);
      assert.equal(await store.templates.byId(other.id, id), undefined);
      assert.equal(await store.templates.byName(other.id, 'welcome'), undefined);
      assert.equal(await store.templates.remove({ accountId: other.id, templateId: id }), false);
      const change = { accountId: other.id, templateId: id, content, atMs: startMs };
      assert.deepEqual(await store.templates.change(change), { kind: 'unknown' });
    });

    test('a name is unique in its account, and a change in the same millisecond is told by its time', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const create = (accountId: number, name: string) =>
        store.templates.create({ accountId, content: { ...content, name }, atMs: startMs });
      assert.equal((await create(acme.id, 'welcome')).kind, 'created');
      assert.equal((await create(acme.id, 'welcome')).kind, 'taken');
      assert.equal((await create(other.id, 'welcome')).kind, 'created');
      const second = await create(acme.id, 'second');
      assert.equal(second.kind, 'created');
      const change = (name: string) =>
        store.templates.change({
          accountId: acme.id,
          templateId: second.value.id,
          content: { ...content, name, html: undefined, text: 'plain' },
          atMs: startMs,
        });
      assert.deepEqual(await change('welcome'), { kind: 'taken' });
      const changed = await change('second');
      assert.equal(changed.kind, 'changed');
      assert.equal(changed.value.updatedAtMs, startMs + 1);
      assert.deepEqual(await store.templates.byId(acme.id, second.value.id), changed.value);
    });

    test('the list is newest first and goes on after its cursor; an id never comes again', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const ids: number[] = [];
      for (const name of ['a', 'b', 'c']) {
        const made = await store.templates.create({
          accountId,
          content: { ...content, name },
          atMs: startMs,
        });
        assert.equal(made.kind, 'created');
        ids.unshift(made.value.id);
      }
      const page = await store.templates.list({ accountId, limit: 2 });
      assert.deepEqual(
        page.map(({ id }) => id),
        ids.slice(0, 2),
      );
      const rest = await store.templates.list({ accountId, limit: 2, beforeId: page[1]?.id });
      assert.deepEqual(
        rest.map(({ id }) => id),
        ids.slice(2),
      );
      assert.equal(await store.templates.remove({ accountId, templateId: ids[0] ?? 0 }), true);
      const next = await store.templates.create({ accountId, content, atMs: startMs });
      assert.equal(next.kind, 'created');
      assert.ok(next.value.id > (ids[0] ?? 0));
    });
  });
}
