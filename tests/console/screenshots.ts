/**
 * `npm run screenshots`: the pictures of the README, taken of the real console with mail to the simulator. Writes
 * docs/images/ and nothing else.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../support/until.ts';
import { callAs, type Reader, signedIn, type Visit } from './signed-in.ts';
import { writeWeek } from './week.ts';

const folder = join(import.meta.dirname, '../../docs/images');

const behaviours = [
  'opened',
  'clicked',
  'delivered',
  'soft-bounced',
  'hard-bounced',
  'unsubscribed',
  'complained',
];

const mail = {
  en: {
    subject: 'Your order 42 is on its way',
    html: '<div style="font-family:sans-serif"><h1>Thank you!</h1><p>Your order <b>42</b> is <a href="https://example.com/42">on its way</a>.</p></div>',
  },
  ru: {
    subject: 'Ваш заказ 42 в пути',
    html: '<div style="font-family:sans-serif"><h1>Спасибо!</h1><p>Ваш заказ <b>42</b> уже <a href="https://example.com/42">в пути</a>.</p></div>',
  },
} as const;

const shots: readonly (readonly [name: string, path: string])[] = [
  ['message', '/messages/2'],
  ['webhook', '/webhooks/1'],
  ['settings', '/settings'],
];

/** Everything that the pages show, made through the API as a program would. */
async function fill({ service, page }: Visit, language: 'en' | 'ru'): Promise<void> {
  const { url } = await callAs<{ url: string }>(page, 'GET', '/api/receiver');
  await callAs(page, 'POST', '/api/webhooks', { url, dialect: 'aftersend', batch: { age_seconds: 0 } });
  for (const behaviour of behaviours) {
    const to = [`${behaviour}@simulator.test`];
    const content = { from: 'Shop <shop@example.com>', ...mail[language], tags: ['order'] };
    await callAs(page, 'POST', '/api/messages', { ...content, to, metadata: { order: 42 } });
  }
  await page.goto(`${service.url}/messages/2`);
  await page.locator('.timeline > li:nth-child(4)').waitFor();
}

async function take(reader: Reader, suffix: string): Promise<void> {
  const skip = (reason?: string) => process.stderr.write(`${reason ?? 'Chromium is missing'}\n`);
  await using visit = await signedIn({ skip }, reader);
  if (visit === undefined) return;
  await fill(visit, reader.locale === 'ru-RU' ? 'ru' : 'en');
  for (const [name, path] of shots) {
    await visit.page.goto(`${visit.service.url}${path}`);
    await visit.page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await visit.page.evaluate('document.fonts.ready');
    if (path.startsWith('/messages/')) await visit.page.frameLocator('iframe').locator('h1').waitFor();
    await visit.page.screenshot({ path: join(folder, `${name}-${suffix}.png`) });
  }
  await takeOverview(visit, suffix);
}

/** Of a week that is written while the service stands still: it would deliver what it finds. */
async function takeOverview({ service, page }: Visit, suffix: string): Promise<void> {
  await service.stop();
  await writeWeek(service.folder, 1);
  await service.start();
  await page.goto(`${service.url}/overview`);
  await page.locator('.totals').waitFor();
  const counted = async () => {
    const asked = await callAs<{ uncounted_events: number }>(page, 'GET', '/api/statistics');
    return asked.uncounted_events;
  };
  await until(counted, (events) => events === 0);
  await page.reload();
  await page.locator('.chart canvas').waitFor();
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  await page.screenshot({ path: join(folder, `overview-${suffix}.png`) });
}

await mkdir(folder, { recursive: true });
await take({ locale: 'en-US' }, 'en');
await take({ locale: 'ru-RU', colorScheme: 'dark' }, 'ru-dark');
