/** Every page of the console in real Chromium: in both languages, light and dark, on a phone; with axe, and no page too wide. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callAs, offences, overflows, type Reader, signedIn, type Visit } from './signed-in.ts';

const readers: readonly Reader[] = [
  { locale: 'ru-RU' },
  { locale: 'en-US', colorScheme: 'dark' },
  { locale: 'ru-RU', width: 390, colorScheme: 'dark' },
];

const pages = [
  '/overview',
  '/overview?range=24h',
  '/overview?range=custom',
  '/messages?event=delivered&provider=other',
  '/messages',
  '/messages/1',
  '/messages/999',
  '/live',
  '/webhooks',
  '/webhooks/1',
  '/templates',
  '/templates/new',
  '/templates/1',
  '/templates/1/versions',
  '/domains',
  '/suppressions',
  '/suppressions/import',
  '/first-steps',
  '/settings',
  '/users',
  '/audit',
  '/profile',
];

/** Something on every page. */
async function fill({ page }: Visit): Promise<void> {
  const template = {
    name: 'order',
    subject: 'Order {{ number }}',
    html: '<p>Dear {{ name }},</p>\n<p>it left</p>',
  };
  await callAs(page, 'POST', '/api/templates', template);
  await callAs(page, 'PATCH', '/api/templates/1', { html: '<p>Dear {{ name }},</p>\n<p>it arrived</p>' });
  await callAs(page, 'POST', '/api/domains', { name: 'a-long-name-of-a-sending-domain.example.com' });
  await callAs(page, 'POST', '/api/suppressions', { recipient: 'a.long.address.of.somebody@example.org' });
  await callAs(page, 'POST', '/api/invitations', { email: 'bob@example.org', role: 'support' });
}

for (const reader of readers) {
  const { locale, colorScheme = 'light', width = 1280 } = reader;
  test(`every page, ${locale}, ${colorScheme}, ${width} px`, async (context) => {
    await using visit = await signedIn(context, reader);
    if (visit === undefined) return;
    const { page, complaints } = visit;
    await fill(visit);
    await page.goto(`${visit.service.url}/first-steps`);
    await page.locator('.steps .primary').first().click();
    await page.locator('fieldset:enabled').waitFor();
    await page.locator('.steps > li:nth-child(2) button').click();
    await page.locator('.steps > li:nth-child(3).done').waitFor();
    for (const path of pages) {
      await page.goto(`${visit.service.url}${path}`, { waitUntil: 'load' });
      await page.locator('h1').waitFor();
      await page.locator('main:not(:has(.skeleton))').waitFor();
      assert.deepEqual(await offences(page), [], path);
      assert.equal(await overflows(page), false, `${path} is wider than the screen`);
      assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2));
    }
    assert.deepEqual(complaints, []);
  });
}
