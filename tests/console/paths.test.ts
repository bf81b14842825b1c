/** What people do with the console, from beginning to end, in real Chromium. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callAs, offences, password, signedIn } from './signed-in.ts';

test('from the first start to “the webhook has arrived”, and on to the message’s story', async (context) => {
  await using visit = await signedIn(context, { locale: 'ru-RU' });
  if (visit === undefined) return;
  const { page } = visit;
  await page.getByRole('link', { name: 'Первые шаги' }).click();
  await page.getByRole('button', { name: 'Взять встроенный приёмник' }).click();
  await page.getByRole('radio', { name: /clicked@simulator/ }).check();
  await page.getByRole('button', { name: 'Отправить' }).click();
  await page.getByText('"name": "clicked"').waitFor();
  await page.getByRole('link', { name: 'Вся история письма' }).click();
  await page.getByText('Получатель перешёл по ссылке').waitFor();
  const frame = page.frameLocator('iframe');
  await frame.getByRole('heading', { name: 'Здравствуйте!' }).waitFor();
  await page.getByRole('button', { name: 'Исходник' }).click();
  await page.getByText(/^Content-Transfer-Encoding: /m).waitFor();
  await page.getByRole('button', { name: 'Отправить снова' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Отправить снова' }).click();
  await page.waitForURL('**/messages/2');
});

test('Settings → API: URL, ticked events and dialect are saved, and a test shows what came back', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  await page.getByRole('link', { name: 'First steps' }).click();
  const receiver = await page.locator('code.break').textContent();
  await page.getByRole('link', { name: 'Settings → API' }).click();
  for (const name of ['Delivered', 'Not delivered', 'Opened', 'Link followed', 'Marked as spam']) {
    await page.getByRole('checkbox', { name: new RegExp(`^${name}`) }).waitFor();
  }
  await page.getByLabel('URL for notifications').fill('http://127.0.0.1:8099/hook');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('the address is not a public one').first().waitFor();
  await page.getByLabel('URL for notifications').fill(receiver ?? '');
  await page.getByRole('checkbox', { name: /^Unsubscribed/ }).uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('whsec_').waitFor();
  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('answered 200').click();
  await page.getByText('"event": "spam_by_user"').waitFor();
  await page.getByText('{"received":true}').waitFor();

  await page.getByLabel('New token').fill('shop');
  await page.getByRole('button', { name: 'Create' }).first().click();
  const token =
    (await page.getByText('This token is shown once').locator('..').locator('code').textContent()) ?? '';
  const answer = await fetch(`${service.url}/api/webhooks`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { webhooks } = (await answer.json()) as { webhooks: { url: string; types: string[] }[] };
  assert.equal(webhooks[0]?.url, receiver);
  assert.deepEqual(webhooks[0].types, ['delivered', 'bounced', 'opened', 'clicked', 'complained']);
});

test('signed out, signed in again by keyboard alone; a deep link leads where it says', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.goto(`${service.url}/suppressions`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.deepEqual(await offences(page), []);
  await page.keyboard.press('Tab');
  await page.keyboard.type('anna@example.com');
  await page.keyboard.press('Tab');
  await page.keyboard.type('wrong password');
  await page.keyboard.press('Enter');
  await page.getByText('Address, password or code are wrong.').waitFor();
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Suppressions' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content');
});

test('what a message says runs nowhere: not in its frame, not opened by itself', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  const account = await service.createAccount('other');
  const mine = await page.evaluate(`fetch('/api/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'aftersend-console': '1' },
    body: JSON.stringify({ from: 'a@example.com', to: ['delivered@simulator.test'], subject: 'x',
      html: '<p>read me</p><script>top.document.title = "taken"; document.body.textContent = "taken"</' + 'script>' }),
  }).then((answer) => answer.status)`);
  assert.equal(mine, 201);
  await page.goto(`${service.url}/messages/1`);
  await page.frameLocator('iframe').getByText('read me').waitFor();
  assert.notEqual(await page.title(), 'taken');
  await page.goto(`${service.url}/api/messages/1/html`);
  assert.equal(
    await page
      .locator('body')
      .textContent()
      .then((text) => text?.includes('read me')),
    true,
  );
  assert.equal(await page.evaluate('self.origin'), 'null');
  await assert.rejects(service.call(account, 'GET', '/api/messages/1/html'), /404/);
});

test('a template is written, seen with its sample parameters, and sent as a test', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, complaints } = visit;
  await page.getByRole('link', { name: 'Templates' }).click();
  await page.getByRole('link', { name: 'New template' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('order');
  await page.getByLabel('Subject').fill('Order {{ number }}');
  await page.getByLabel('HTML').fill('<p style="color: teal">Order {{ number | upcase }}</p>{% if');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.wrong').waitFor();
  await page.getByLabel('HTML').fill('<p style="color: teal">Order {{ number | upcase }}</p>');
  await page.getByRole('button', { name: 'Save' }).click();
  const shown = page.frameLocator('iframe').getByText('Order NUMBER');
  await shown.waitFor();
  const colour = await page.frames()[1]?.evaluate('getComputedStyle(document.querySelector("p")).color');
  assert.equal(colour, 'rgb(0, 128, 128)', 'its own styles hold in the frame');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Sent: see its story').click();
  await page.getByRole('heading', { name: 'Order number' }).waitFor();
  await page.getByText('The recipient opened the message').waitFor();
  assert.deepEqual(complaints, []);
});

test('a template is changed, seen what changed, and taken back; a message says which version it was', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, complaints, service } = visit;
  await page.goto(`${service.url}/templates/new`);
  await page.getByLabel('Name', { exact: true }).fill('order');
  await page.getByLabel('Subject').fill('Order');
  await page.getByLabel('HTML').fill('<p>Dear Ann,</p>\n<p>it is on its way.</p>');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL('**/templates/1');
  await page.getByLabel('HTML').fill('<p>Dear Ann,</p>\n<p>it has left.</p>');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('link', { name: 'Version 2: all versions' }).click();
  await page.getByRole('heading', { name: 'Versions of “order”' }).waitFor();
  const html = page.getByRole('region', { name: 'HTML' });
  assert.equal(await html.locator('del').textContent(), '<p>it is on its way.</p>');
  assert.equal(await html.locator('ins').textContent(), '<p>it has left.</p>');
  assert.deepEqual(await offences(page), []);

  await page.getByRole('button', { name: 'Take back to this' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take back to this' }).click();
  await page.getByRole('cell', { name: '3 now' }).waitFor();
  await html.locator('ins', { hasText: 'it is on its way.' }).waitFor();
  await page.goBack();
  await page.getByRole('link', { name: 'Version 3: all versions' }).waitFor();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Sent: see its story').click();
  await page.getByRole('link', { name: 'no. 1, version 3' }).click();
  await page.getByRole('heading', { name: 'Versions of “order”' }).waitFor();
  assert.deepEqual(complaints, []);
});

test('a suppression list is pasted, or given as a file, and each line that is not taken says why', async (context) => {
  await using visit = await signedIn(context, { locale: 'ru-RU' });
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  await page.goto(`${service.url}/suppressions`);
  await page.getByRole('link', { name: 'Загрузить' }).click();
  await page.waitForURL('**/suppressions/import');
  const text = 'email,reason\nann@example.org,bounced\nnobody\nbob@example.org,because\nann@example.org,\n';
  await page.getByLabel('Или вставьте сюда').fill(text);
  await page.getByRole('button', { name: 'Добавить' }).click();
  await page.getByRole('row', { name: '3 это не адрес почты' }).waitFor();
  await page.getByRole('row', { name: '4 причина не из списка' }).waitFor();
  const facts = await page.getByRole('status').locator('dd').allTextContents();
  assert.deepEqual(facts, ['1', '1', '2']);
  assert.deepEqual(await offences(page), []);

  await page.getByLabel('Файл').setInputFiles({
    name: 'list.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('email\n"carl@example.org\n'),
  });
  await page.getByRole('button', { name: 'Добавить' }).click();
  await page.getByText('Это не CSV').waitFor();
  await page.getByRole('button', { name: 'Сбросить' }).click();
  const lines = Array.from({ length: 1000 }, (_, index) => `user${index}@example.org`);
  await page.getByLabel('Файл').setInputFiles({
    name: 'long.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(lines.join('\n')),
  });
  await page.getByRole('button', { name: 'Добавить' }).click();
  await page
    .getByRole('status')
    .getByText(/^1.000$/)
    .waitFor();
  await page.getByRole('link', { name: 'Весь стоп-лист' }).click();
  await page.getByText('user999@example.org').waitFor();
  await page.getByRole('button', { name: 'Показать ещё' }).click();
  await page.getByText('user901@example.org').waitFor();
  await page.getByLabel('Почему').selectOption('bounced');
  await page.waitForURL('**/suppressions?reason=bounced');
  await page.getByRole('cell', { name: 'ann@example.org' }).waitFor();
  assert.equal(await page.getByText('user999@example.org').count(), 0);
  assert.deepEqual(complaints, []);
});

test('the live stream is filtered by what the address says, and paused', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, service } = visit;
  const send = (recipient: string, tag: string) =>
    callAs(page, 'POST', '/api/messages', {
      from: 'a@example.com',
      to: [recipient],
      subject: 'x',
      text: 'x',
      tags: [tag],
    });
  await page.goto(`${service.url}/live?type=delivered`);
  await page.getByText('Connected').waitFor();
  await send('delivered@simulator.test', 'first');
  await page.getByRole('link', { name: 'delivered@simulator.test' }).waitFor();
  assert.equal(await page.locator('.live-event').count(), 1, 'what was accepted is not shown');
  await page.getByRole('searchbox').fill('SECOND');
  await page.getByText('Nothing here speaks of that').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('text'), 'SECOND');
  await send('opened@simulator.test', 'second');
  await page.getByRole('link', { name: 'opened@simulator.test' }).waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await send('clicked@simulator.test', 'second');
  await page.getByText('Paused; 1 new').waitFor();
  assert.equal(await page.locator('.live-event').count(), 1);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('link', { name: 'clicked@simulator.test' }).waitFor();
});

test('the Overview’s numbers lead to the messages that they count, and its conditions can be dropped', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US' });
  if (visit === undefined) return;
  const { page, complaints, service } = visit;
  for (const name of ['opened', 'hard-bounced', 'delivered']) {
    const body = { from: 'a@example.com', to: [`${name}@simulator.test`], subject: name, html: '<p>x</p>' };
    await callAs(page, 'POST', '/api/messages', body);
  }
  await page.goto(`${service.url}/overview`);
  const number = (name: string) =>
    page.locator('.totals > li').filter({ hasText: name }).locator('a', { hasText: /^1$/ });
  await number('Not delivered').waitFor({ timeout: 40_000 });
  await page.locator('.chart canvas').waitFor();
  await page.getByText('The same as a table').click();
  assert.deepEqual(await offences(page), []);
  await number('Not delivered').click();
  await page.getByRole('link', { name: 'hard-bounced@simulator.test' }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);
  assert.deepEqual(await offences(page), []);
  await page.getByRole('button', { name: /Drop the condition: What happened/ }).click();
  await page.getByRole('link', { name: 'opened@simulator.test' }).waitFor();
  await page.goto(`${service.url}/overview?range=24h`);
  await page.getByRole('region', { name: 'By domain' }).getByRole('link', { name: '3', exact: true }).click();
  await page.getByRole('link', { name: 'delivered@simulator.test' }).first().waitFor();
  assert.equal(await page.locator('tbody tr').count(), 3);
  assert.deepEqual(complaints, []);
});
