/** The console where things are not as they should be: addresses of nobody's, a service that goes away, a session that ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callAs, offences, overflows, password, signedIn, type Visit } from './signed-in.ts';

test('by keyboard one skips to the content, and a new page is begun at its content', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  await callAs(page, 'POST', '/api/suppressions', { recipient: 'ann@example.org' });
  await page.goto(`${service.url}/suppressions`);
  await page.getByRole('cell', { name: 'ann@example.org' }).waitFor();
  const focused = () => page.evaluate('document.activeElement.id');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'content');
  await page.getByRole('link', { name: 'Import' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Import' }).waitFor();
  assert.equal(await focused(), 'content');
});

test('an address of nobody’s is told of as a page; programs get their error', async (context) => {
  await using visit = await signedIn(context, { locale: 'ru-RU' });
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  for (const path of ['/nothing', '/messages/1/nothing', '/messages/abc', '/webhooks/0', '/audit/3x']) {
    await page.goto(`${service.url}${path}`);
    await page.getByRole('heading', { name: 'Такой страницы нет', level: 1 }).waitFor();
  }
  assert.deepEqual(await offences(page), []);
  assert.deepEqual(complaints, []);
  assert.equal((await page.goto(`${service.url}/nothing`))?.status(), 404);
  for (const [path, accept] of [
    ['/nothing', 'application/json'],
    ['/api/nothing', 'text/html'],
  ] as const) {
    const answer = await fetch(`${service.url}${path}`, { headers: { accept } });
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /"not-found"/);
  }
});

test('a page that is not for one’s role says so, whatever the address', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  await joinAs(visit, 'support');
  for (const path of ['/first-steps', '/suppressions/import', '/templates/new', '/users', '/audit']) {
    await page.goto(`${service.url}${path}`);
    await page.getByRole('heading', { name: 'This page is not for your role', level: 1 }).waitFor();
    assert.equal(await page.locator('main button').count(), 0);
  }
});

test('a session that ended elsewhere leads to signing in, and is asked for no further', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service, context: browser } = visit;
  const open = async () => {
    const tab = await browser.newPage();
    await tab.goto(`${service.url}/webhooks`);
    await tab.getByRole('heading', { name: 'Webhooks' }).waitFor();
    return tab;
  };
  const cookies = await browser.cookies();
  const [revoked, cookieless] = [await open(), await open()];
  await callAs(page, 'DELETE', '/api/session');
  for (const tab of [cookieless, revoked]) {
    await tab.getByRole('link', { name: 'Templates' }).click();
    await tab.getByRole('heading', { name: 'Sign in' }).waitFor();
    await browser.addCookies(cookies);
  }
  let asked = 0;
  revoked.on('request', (request) => {
    if (new URL(request.url()).pathname === '/api/session') asked += 1;
  });
  await revoked.reload();
  await revoked.getByRole('heading', { name: 'Sign in' }).waitFor();
  // Long enough for what asks again at each answer: this many answers of the same service come between.
  for (let others = 0; others < 20; others += 1) await revoked.evaluate(`fetch('/healthz')`);
  assert.equal(asked, 1);
});

test('days that are searched for are the reader’s, and the last is meant whole', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  const body = { from: 'a@example.com', to: ['delivered@simulator.test'], subject: 'x', text: 'x' };
  await callAs(page, 'POST', '/api/messages', body);
  const dayOf = (later: number): Promise<string> =>
    page.evaluate(`new Date(Date.now() + ${later} * 86400000).toLocaleDateString('sv')`);
  const [yesterday, today] = [await dayOf(-1), await dayOf(0)];
  await page.goto(`${service.url}/messages?from=${yesterday}&to=${today}`);
  await page.getByRole('link', { name: 'delivered@simulator.test' }).waitFor();
  const asked = page.waitForRequest(/\/api\/messages\?/);
  await page.goto(`${service.url}/messages?from=${today}&to=${today}`);
  const { searchParams } = new URL((await asked).url());
  const begins = await page.evaluate(`new Date('${today}T00:00').toISOString()`);
  assert.equal(searchParams.get('from'), begins);
  await page.goto(`${service.url}/messages?from=${yesterday}&to=${yesterday}`);
  await page.getByText('No message matches').waitFor();
});

/** The page's person leaves, and somebody else comes in by an invitation. */
async function joinAs({ page }: Visit, role: string): Promise<void> {
  const email = 'bob@example.org';
  const { link } = await callAs<{ link: string }>(page, 'POST', '/api/invitations', { email, role });
  await callAs(page, 'DELETE', '/api/session');
  const secret = new URL(link).hash.slice(1);
  await callAs(page, 'POST', '/api/invitations/accept', { secret, email, password });
}

test('the live stream comes back after refusals and missed events, and leads to signing in when the session ended', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  const send = () =>
    callAs(page, 'POST', '/api/messages', {
      from: 'a@example.com',
      to: ['delivered@simulator.test'],
      subject: 'x',
      text: 'x',
    });
  await page.goto(`${service.url}/live?type=delivered`);
  await page.getByText('Connected').waitFor();
  await send();
  await page.locator('.live-event').waitFor();
  // As a proxy answers while its service is being started.
  await page.route('**/api/events/stream*', (route) => route.fulfill({ status: 502 }));
  await service.stop();
  await page.getByText('Connecting').waitFor();
  await service.start();
  await page.waitForResponse((response) => response.status() === 502);
  await send();
  await page.unroute('**/api/events/stream*');
  await page.locator('.live-event').nth(1).waitFor();

  await page.evaluate(`fetch('/api/session', { method: 'DELETE', headers: { 'aftersend-console': '1' } })`);
  await service.stop();
  await service.start();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('whatever length others gave their names, pages stay readable', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US', width: 390 });
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  await callAs(page, 'POST', '/api/webhooks', {
    url: `https://hooks.example.com/${'a'.repeat(1900)}?<b>"'`,
    dialect: 'sendpulse',
  });
  await callAs(page, 'POST', '/api/messages', {
    from: 'a@example.com',
    to: ['delivered@simulator.test'],
    subject: `${'Order '.repeat(100)}\u202Efdp.exe <img src=x onerror=alert(1)>`,
    text: 'x',
    tags: Array.from({ length: 10 }, (_, index) => `${index}<b>${'w'.repeat(55)}`),
    metadata: { long: 'm'.repeat(1500) },
  });
  for (const [path, mostPx] of [
    ['/messages', 1200],
    ['/messages/1', 3600],
    ['/webhooks', 900],
  ] as const) {
    await page.goto(`${service.url}${path}`);
    await page.locator('h1').waitFor();
    await page.locator('main:not(:has(.skeleton))').waitFor();
    const heightPx = Number(await page.evaluate('document.documentElement.scrollHeight'));
    assert.ok(heightPx <= mostPx, `${path} is ${heightPx} px high`);
    assert.equal(await overflows(page), false, path);
    assert.deepEqual(await offences(page), [], path);
  }
  assert.deepEqual(complaints, []);
});
