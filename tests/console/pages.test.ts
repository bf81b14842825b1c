/** Every page of the console in real Chromium: in both languages, light and dark, on a phone; with axe, and no page too wide. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offences, overflows, type Reader, signedIn } from './signed-in.ts';

const readers: readonly Reader[] = [
  { locale: 'ru-RU' },
  { locale: 'en-US', colorScheme: 'dark' },
  { locale: 'ru-RU', width: 390, colorScheme: 'dark' },
];

const pages = [
  '/messages',
  '/messages/1',
  '/messages/999',
  '/live',
  '/webhooks',
  '/webhooks/1',
  '/templates',
  '/templates/new',
  '/domains',
  '/suppressions',
  '/first-steps',
  '/settings',
  '/users',
  '/audit',
  '/profile',
];

for (const reader of readers) {
  const { locale, colorScheme = 'light', width = 1280 } = reader;
  test(`every page, ${locale}, ${colorScheme}, ${width} px`, async (context) => {
    await using visit = await signedIn(context, reader);
    if (visit === undefined) return;
    const { page, complaints } = visit;
    await page.goto(`${visit.service.url}/first-steps`);
    await page.locator('.steps .primary').first().click();
    await page.locator('fieldset:enabled').waitFor();
    await page.locator('.steps > li:nth-child(2) button').click();
    await page.locator('.steps > li:nth-child(3).done').waitFor();
    for (const path of pages) {
      await page.goto(`${visit.service.url}${path}`, { waitUntil: 'load' });
      await page.locator('h1').waitFor();
      await page.locator('.skeleton').first().waitFor({ state: 'detached' });
      assert.deepEqual(await offences(page), [], path);
      assert.equal(await overflows(page), false, `${path} is wider than the screen`);
      assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2));
    }
    assert.deepEqual(complaints, []);
  });
}
