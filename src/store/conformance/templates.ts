/** Templates: kept as written, told by name and time, seen by their own account alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keptTemplateVersions, type TemplateContent } from '../contract/templates.ts';
import { accepted, anAccount, aSubmission, type OpenStore, startMs } from './fixtures.ts';

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
      const created = await store.templates.create({
        accountId: acme.id,
        content,
        author: '',
        atMs: startMs,
      });
      assert.equal(created.kind, 'created');
      const { id } = created.value;
      const times = { createdAtMs: startMs, updatedAtMs: startMs };
      const expected = { id, accountId: acme.id, ...content, version: 1, ...times };
      assert.deepEqual(created.value, expected);
      assert.deepEqual(await store.templates.byId(acme.id, id), expected);
      assert.deepEqual(await store.templates.byName(acme.id, 'welcome'), expected);
      assert.equal(await store.templates.byId(other.id, id), undefined);
      assert.equal(await store.templates.byName(other.id, 'welcome'), undefined);
      assert.equal(await store.templates.remove({ accountId: other.id, templateId: id }), false);
      const change = { accountId: other.id, templateId: id, content, author: '', atMs: startMs };
      assert.deepEqual(await store.templates.change(change), { kind: 'unknown' });
    });

    test('a name is unique in its account, and a change in the same millisecond is told by its time', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const create = (accountId: number, name: string) =>
        store.templates.create({ accountId, content: { ...content, name }, author: '', atMs: startMs });
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
          author: '',
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
          author: '',
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
      const next = await store.templates.create({ accountId, content, author: '', atMs: startMs });
      assert.equal(next.kind, 'created');
      assert.ok(next.value.id > (ids[0] ?? 0));
    });

    test('every save is a version with its author, but for one that changes nothing; an older one comes back', async () => {
      await using store = await open();
      const [acme, other] = [await anAccount(store), await anAccount(store, 'other')];
      const made = await store.templates.create({
        accountId: acme.id,
        content,
        author: 'ann@example.org',
        atMs: startMs,
      });
      assert.equal(made.kind, 'created');
      const templateId = made.value.id;
      const change = (changes: Partial<TemplateContent>, author = '') => {
        const changed = { ...content, ...changes };
        const input = { accountId: acme.id, templateId, content: changed, author, atMs: startMs + 5 };
        return store.templates.change(input);
      };
      const text = { html: undefined, text: 'plain', listUnsubscribe: undefined };
      await change({ ...text, name: 'hello' });
      const same = await change({ ...text, name: 'hello' }, 'bob@example.org');
      assert.equal(same.kind === 'changed' && same.value.version, 2, 'the same is no change');

      const restore = (accountId: number, version: number) =>
        store.templates.restore({ accountId, templateId, version, author: 'bob@example.org', atMs: startMs });
      assert.deepEqual(await restore(other.id, 1), { kind: 'unknown' });
      assert.deepEqual(await restore(acme.id, 9), { kind: 'unknown' });
      const restored = await restore(acme.id, 1);
      assert.equal(restored.kind, 'changed');
      assert.deepEqual(
        { ...restored.value, updatedAtMs: 0 },
        { ...made.value, name: 'hello', version: 3, updatedAtMs: 0 },
        'all but the name',
      );
      const versions = await store.templates.versions(acme.id, templateId);
      assert.deepEqual(
        versions.map(({ version, author, name, subject }) => [version, author, name, subject]),
        [
          [3, 'bob@example.org', 'hello', content.subject],
          [2, '', 'hello', content.subject],
          [1, 'ann@example.org', 'welcome', content.subject],
        ],
      );
      assert.deepEqual(await store.templates.version(acme.id, templateId, 2), {
        ...content,
        ...text,
        ...versions[1],
      });
      assert.deepEqual(await store.templates.versions(other.id, templateId), []);
      assert.equal(await store.templates.version(other.id, templateId, 2), undefined);
    });

    test('as many versions are kept as are to be, and none of a template that is gone', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const made = await store.templates.create({ accountId, content, author: '', atMs: startMs });
      assert.equal(made.kind, 'created');
      const templateId = made.value.id;
      for (let number = 0; number < keptTemplateVersions; number += 1) {
        const changed = { ...content, text: `${number}` };
        await store.templates.change({ accountId, templateId, content: changed, author: '', atMs: startMs });
      }
      const versions = await store.templates.versions(accountId, templateId);
      assert.equal(versions.length, keptTemplateVersions);
      assert.deepEqual([versions[0]?.version, versions.at(-1)?.version], [keptTemplateVersions + 1, 2]);
      assert.equal(await store.templates.remove({ accountId, templateId }), true);
      assert.deepEqual(await store.templates.versions(accountId, templateId), []);
    });

    test('a message says what it was made of, and of which version', async () => {
      await using store = await open();
      const { id: accountId } = await anAccount(store);
      const madeOf = { templateId: 7, templateVersion: 3 };
      const [id = 0] = await accepted(store, aSubmission(accountId, madeOf));
      const message = await store.messages.byId(accountId, id);
      assert.deepEqual([message?.templateId, message?.templateVersion], [7, 3]);
    });
  });
}
