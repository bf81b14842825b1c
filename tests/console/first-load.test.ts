/** What a browser that has seen nothing of the console yet loads for its first page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Response } from 'playwright-core';
import { signedIn } from './signed-in.ts';

/** Of JavaScript, as it goes over the wire. */
const mostBytes = 150 * 1024;

test('the first page takes less than 150 KB of JavaScript gzipped, from the service alone, under a policy without exceptions', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const browser = visit.context.browser();
  assert.ok(browser !== null);
  const { url } = visit.service;
  const state = await visit.context.storageState();
  for (const path of ['/', '/overview', '/templates', '/webhooks', '/settings']) {
    const fresh = await browser.newContext({ storageState: state });
    const page = await fresh.newPage();
    const answers: Response[] = [];
    page.on('response', (answer) => answers.push(answer));
    await page.goto(`${url}${path}`);
    await page.locator('main:not(:has(.skeleton)) h1').waitFor();
    const scripts = answers.filter((answer) => answer.request().resourceType() === 'script');
    const sizes = await Promise.all(
      scripts.map(async (script) => (await script.request().sizes()).responseBodySize),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes > 20_000 && bytes < mostBytes, `${path}: ${bytes} bytes in ${scripts.length} scripts`);
    for (const script of scripts) assert.equal((await script.allHeaders())['content-encoding'], 'gzip');
    assert.deepEqual(
      answers.map((answer) => new URL(answer.url()).origin).filter((origin) => origin !== url),
      [],
    );
    const policy = (await answers[0]?.allHeaders())?.['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.doesNotMatch(policy, /unsafe/);
    await fresh.close();
  }
});
