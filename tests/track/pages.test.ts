/** The unsubscribe page as its reader meets it: in Chromium, in both languages, with the keyboard alone, and with axe. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import axe from 'axe-core';
import fastify from 'fastify';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { App } from '../../src/api/app.ts';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { trackRoutes } from '../../src/track/routes.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { peerOrSkip } from '../support/peers.ts';

const recipient = 'ann@example.org';

interface Reader extends AsyncDisposable {
  readonly page: Page;
  readonly url: string;
  readonly suppressed: () => Promise<readonly string[]>;
}

/** A browser before the page, over real HTTP on a real store; undefined after the test was told to skip. */
async function open(
  context: TestContext,
  { locale, colorScheme = 'light' }: { locale: string; colorScheme?: 'light' | 'dark' },
): Promise<Reader | undefined> {
  const peer = peerOrSkip(context, 'chromium-headless-shell');
  if (peer === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-pages-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const store = stack.use(await openSqliteStore(folder, 'serve'));
  const { id: accountId } = await anAccount(store);
  const [messageId = 0] = await accepted(store, aSubmission(accountId, { stream: 'news' }));
  const tokens = signedTokens(deriveKeys(['a secret that is long enough for tests']));
  const { log, suppressions } = store;
  const app: App = fastify();
  const recorder = { record() {}, writeDown() {} };
  trackRoutes(app, { tokens, recorder, clock: new ManualClock(), log, suppressions });
  stack.defer(() => app.close());
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  const browser: Browser = await chromium.launch({
    executablePath: peer.command,
    env: { ...process.env, ...peer.env },
    args: ['--no-sandbox'],
  });
  stack.defer(() => browser.close());
  const page = await (await browser.newContext({ locale, colorScheme })).newPage();
  const links = trackingLinks(tokens, base, 'mail.example.org');
  const all = stack.move();
  return {
    page,
    url: links.unsubscribeUrl({ accountId, messageId, stream: 'news', recipient }),
    suppressed: async () =>
      (await suppressions.find(accountId, recipient)).map(({ stream, reason }) => `${stream} ${reason}`),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** What axe finds wrong. Its script goes past the page's policy, as a browser extension does. */
async function offences(page: Page): Promise<readonly string[]> {
  const { violations, passes } = (await page.evaluate(`(() => { ${axe.source}; return axe.run(); })()`)) as {
    passes: readonly object[];
    violations: readonly { id: string; help: string; nodes: readonly { html: string }[] }[];
  };
  assert.ok(passes.length > 5, 'axe has looked at the page');
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join()}`);
}

const focused = (page: Page) =>
  page.evaluate('document.activeElement.textContent.trim() || document.activeElement.value');

const words = {
  'en-US': {
    title: 'Unsubscribe',
    left: 'You are unsubscribed',
    undo: /Undo/,
    back: 'You are subscribed again',
  },
  'ru-RU': { title: 'Отписаться', left: 'Вы отписаны', undo: /Отменить/, back: 'Вы снова подписаны' },
} as const;

describe('the unsubscribe page', () => {
  for (const [locale, { title, left, undo, back }] of Object.entries(words)) {
    test(`in ${locale}: left and undone with the keyboard alone, axe finds nothing`, async (context) => {
      await using reader = await open(context, { locale });
      if (reader === undefined) return;
      const { page, url, suppressed } = reader;
      const errors: string[] = [];
      page.on('console', (message) => errors.push(message.text()));
      page.on('pageerror', (error) => errors.push(String(error)));

      await page.goto(url);
      assert.equal(await page.title(), title);
      assert.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
      assert.deepEqual(await offences(page), []);
      assert.deepEqual(await suppressed(), [], 'looking at it does nothing');

      // "This kind of mail" is chosen already: Tab into the choice, Tab to the button, press it.
      await page.keyboard.press('Tab');
      assert.equal(await focused(page), 'stream');
      await page.keyboard.press('Tab');
      assert.equal(await focused(page), title);
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.request().method() === 'POST'),
        page.keyboard.press('Enter'),
      ]);
      assert.deepEqual([answer.status(), answer.request().redirectedFrom()], [200, null]);
      await page.waitForSelector(`h1:text-is("${left}")`);
      assert.deepEqual(await suppressed(), ['news unsubscribed']);
      assert.deepEqual(await offences(page), []);

      await page.keyboard.press('Tab');
      assert.match(String(await focused(page)), undo);
      await page.keyboard.press('Space');
      await page.waitForSelector(`h1:text-is("${back}")`);
      assert.deepEqual(await suppressed(), []);
      assert.deepEqual(await offences(page), []);

      await page.goto(url);
      await page.keyboard.press('Tab');
      await page.keyboard.press('ArrowDown');
      assert.equal(await focused(page), 'all');
      await page.keyboard.press('Enter');
      await page.waitForSelector(`h1:text-is("${left}")`);
      assert.deepEqual(await suppressed(), ['* unsubscribed']);
      assert.deepEqual(errors, [], 'its own policy refuses nothing of it');
    });
  }

  test('reads well in the dark, and on a small screen without scrolling sideways', async (context) => {
    await using reader = await open(context, { locale: 'ru-RU', colorScheme: 'dark' });
    if (reader === undefined) return;
    const { page, url } = reader;
    await page.setViewportSize({ width: 320, height: 568 });
    await page.goto(url);
    assert.deepEqual(await offences(page), []);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
  });
});
