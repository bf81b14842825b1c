/** What people do about themselves in the console, in real Chromium: a second factor by QR code, and signing in with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsQr from 'jsqr';
import type { Page } from 'playwright-core';
import { codeOf } from '../support/authenticator.ts';
import { offences, password, signedIn } from './signed-in.ts';

/** What a camera that looks at the page's QR code reads. */
async function scanned(page: Page): Promise<string> {
  const { width, height, pixels } = (await page.evaluate(`(async () => {
    const svg = document.querySelector('svg.qr').cloneNode(true);
    svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    svg.setAttribute('width', '400');
    svg.setAttribute('height', '400');
    const picture = new Image();
    picture.src = 'data:image/svg+xml,' + encodeURIComponent(svg.outerHTML);
    await picture.decode();
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 400;
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0, 400, 400);
    return { width: 400, height: 400, pixels: [...context.getImageData(0, 0, 400, 400).data] };
  })()`)) as { width: number; height: number; pixels: number[] };
  return jsQr.default(Uint8ClampedArray.from(pixels), width, height)?.data ?? '';
}

test('a second factor is scanned, confirmed, and asked for from then on', async (context) => {
  await using visit = await signedIn(context, { locale: 'en-US', colorScheme: 'dark' });
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  await page.goto(`${service.url}/profile`);
  await page.getByRole('button', { name: 'Switch on' }).click();
  await page.getByRole('img', { name: 'The secret as a QR code' }).waitFor();
  assert.deepEqual(await offences(page), []);
  const uri = new URL(await scanned(page));
  assert.deepEqual([uri.protocol, uri.host], ['otpauth:', 'totp']);
  const secret = uri.searchParams.get('secret') ?? '';
  assert.equal(secret, await page.locator('.secret code').textContent());
  const code = codeOf(secret, Date.now());
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page.locator('form:has(svg.qr)').getByLabel('Current password').fill(password);
  await page.locator('form:has(svg.qr)').getByRole('button', { name: 'Switch on' }).click();
  await page.getByRole('button', { name: 'Switch off' }).waitFor();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('E-mail').fill('anna@example.com');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByLabel('Code from your authenticator').fill(code);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Address, password or code are wrong.').waitFor();
  // The code of the step after this one is taken too, so nobody has to wait for it.
  await page.getByLabel('Code from your authenticator').fill(codeOf(secret, Date.now() + 30_000));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Messages', exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});
