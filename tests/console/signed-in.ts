/** The real service as a process, Chromium beside it, and somebody who is signed in by the link of the first start. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import axe from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { peerOrSkip } from '../support/peers.ts';
import { TestService } from '../support/service.ts';

export interface Visit extends AsyncDisposable {
  readonly service: TestService;
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the pages complained of: errors of scripts, and what the policy refused. */
  readonly complaints: readonly string[];
}

export interface Reader {
  readonly locale: 'en-US' | 'ru-RU';
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
}

export const password = 'a password of some length';

/** At the first page after signing in. @param env settings of the service. @returns undefined after the test was told to skip */
export async function signedIn(
  test: Pick<TestContext, 'skip'>,
  { locale, colorScheme = 'light', width = 1280 }: Reader,
  env: Readonly<Record<string, string>> = {},
): Promise<Visit | undefined> {
  const peer = peerOrSkip(test, 'chromium-headless-shell');
  if (peer === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const service = stack.use(await TestService.start(env));
  const link = /http\S+\/welcome#\S+/.exec(service.printed)?.[0];
  assert.ok(link, 'the first start prints a link');
  const browser = await chromium.launch({
    executablePath: peer.command,
    env: { ...process.env, ...peer.env },
    args: ['--no-sandbox'],
  });
  stack.defer(() => browser.close());
  const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 860 } });
  // Whatever a page asks for elsewhere, nothing of a test leaves the machine.
  await context.route(
    ({ hostname }) => hostname !== '127.0.0.1',
    (route) => route.abort(),
  );
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(link);
  await page.locator('input[type=email]').fill('anna@example.com');
  await page.locator('input[type=password]').fill(password);
  await page.locator('button[type=submit]').click();
  await page.locator('nav').waitFor({ state: 'attached' });
  const all = stack.move();
  return { service, page, context, complaints, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Calls the API as the page's own person. @returns its answer, undefined for none */
export const callAs = <T>(page: Page, method: string, path: string, body?: object): Promise<T> =>
  page.evaluate(`fetch(${JSON.stringify(path)}, {
    method: ${JSON.stringify(method)},
    headers: { 'aftersend-console': '1', ${body === undefined ? '' : "'content-type': 'application/json'"} },
    ${body === undefined ? '' : `body: ${JSON.stringify(JSON.stringify(body))},`}
  }).then(async (answer) => {
    if (!answer.ok) throw new Error(${JSON.stringify(`${method} ${path} answered `)} + (await answer.text()));
    return answer.status === 204 ? undefined : answer.json();
  })`);

/** What axe finds seriously wrong. Its script goes past the page's policy, as a browser extension does. */
export async function offences(page: Page): Promise<readonly string[]> {
  const { violations, passes } = (await page.evaluate(`(() => { ${axe.source}; return axe.run(); })()`)) as {
    passes: readonly object[];
    violations: readonly { id: string; help: string; nodes: readonly { html: string }[] }[];
  };
  assert.ok(passes.length > 5, 'axe has looked at the page');
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join()}`);
}

/** Whether the page is wider than what it is looked at through. */
export const overflows = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
