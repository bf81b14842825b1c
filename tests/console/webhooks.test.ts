/** What people do on a webhook's page, in real Chromium: what was set aside, sending again with the count first, keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestReceiver } from '../support/receiver.ts';
import { callAs, offences, signedIn } from './signed-in.ts';

const local = { AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' };

test('what a receiver cannot take is listed with its answer, and goes out again once it was mended', async (context) => {
  await using receiver = await TestReceiver.start();
  receiver.statusOf = ({ body }) => (body.includes('"delivered"') ? 422 : 200);
  await using visit = await signedIn(context, { locale: 'en-US' }, local);
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  await callAs(page, 'POST', '/api/webhooks', { url: receiver.url, dialect: 'msndr' });
  const mail = { from: 'a@example.com', to: ['opened@simulator.test'], subject: 'x', html: '<p>x</p>' };
  await callAs(page, 'POST', '/api/messages', mail);
  await page.goto(`${service.url}/webhooks/1`);
  await page.getByRole('heading', { name: 'Set aside' }).waitFor();
  const row = page.getByRole('row', { name: /Delivered opened@simulator\.test/ });
  await row.getByText('answered 422').waitFor();
  assert.deepEqual(await offences(page), []);

  receiver.statusOf = () => 200;
  await page.getByRole('button', { name: 'Send them again' }).click();
  await page.getByRole('dialog', { name: 'Send 1 events again?' }).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Send them again' }).click();
  await receiver.request(
    ({ body, headers }) => body.includes('"delivered"') && 'aftersend-replay' in headers,
  );
  await page.getByRole('heading', { name: 'Set aside' }).waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /what was set aside done 1/ }).waitFor();
  assert.deepEqual(complaints, []);
});

test('events are counted before they are sent again, a request shows what was sent and answered, and keys are made anew', async (context) => {
  await using receiver = await TestReceiver.start();
  await using visit = await signedIn(context, { locale: 'ru-RU' }, local);
  if (visit === undefined) return;
  const { page, service } = visit;
  await callAs(page, 'POST', '/api/webhooks', {
    url: receiver.url,
    dialect: 'aftersend',
    batch: { age_seconds: 0 },
  });
  const mail = { from: 'a@example.com', to: ['delivered@simulator.test'], subject: 'Заказ', text: 'x' };
  await callAs(page, 'POST', '/api/messages', mail);
  await receiver.request(({ body }) => body.includes('"delivered"'));
  await page.goto(`${service.url}/messages/1`);
  await page.getByText('Какими запросами').click();
  const request = page.locator('details').getByRole('link').last();
  const batch = (await request.textContent()) ?? '';
  await request.click();
  await page.waitForURL(`**/webhooks/1?request=${batch}`);
  await page.getByText(`webhook-id: ${batch}`).waitFor();
  await page.goBack();
  await page.getByRole('link', { name: 'передать ещё раз' }).click();
  await page.getByLabel('Номер письма').waitFor();
  assert.equal(await page.getByLabel('Номер письма').inputValue(), '1');
  const before = receiver.requests.length;
  await page.getByRole('button', { name: 'Сначала посчитать' }).click();
  await page.getByText('Снова уйдёт событий: 2.').waitFor();
  assert.equal(receiver.requests.length, before, 'counting sends nothing');
  await page.getByRole('button', { name: 'Отправить', exact: true }).click();
  await receiver.request(({ headers }) => 'aftersend-replay' in headers);
  await page.getByRole('row', { name: /одно письмо готово 2/ }).waitFor();

  await page.getByRole('button', { name: 'Запрос', exact: true }).first().click();
  await page.getByText(/webhook-signature: v1,/).waitFor();
  await page.getByText('"subject": "Заказ"').waitFor();
  await page.getByRole('button', { name: 'Не принятые' }).click();
  await page.getByText('Все сохранённые запросы приняты.').waitFor();

  for (const language of ['PHP', 'Go', 'Ruby', 'Java']) {
    await page.getByRole('button', { name: language, exact: true }).click();
  }
  await page.getByText('public static boolean isOurs').waitFor();
  assert.deepEqual(await offences(page), []);
  await page.getByRole('button', { name: 'Сменить ключи' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Сменить ключи' }).click();
  const secret = await page.getByText(/^whsec_/).textContent();
  await page.getByRole('button', { name: 'Пауза' }).click();
  await page.getByText('Вы поставили его на паузу').waitFor();
  await page.getByRole('button', { name: 'Продолжить' }).click();
  await page.getByRole('button', { name: 'Пауза' }).waitFor();
  assert.match(secret ?? '', /^whsec_[\w+/=]{40,}$/);
});
