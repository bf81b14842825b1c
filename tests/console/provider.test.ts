/** Signing in by an OpenID provider, in real Chromium: there, back, and out again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientId, clientSecret, TestProvider } from '../support/openid-provider.ts';
import { callAs, offences, signedIn } from './signed-in.ts';

const settingsOf = ({ issuer }: TestProvider) => ({
  AFTERSEND_OIDC_ISSUER: issuer,
  AFTERSEND_OIDC_CLIENT_ID: clientId,
  AFTERSEND_OIDC_CLIENT_SECRET: clientSecret,
});

test('who was invited goes to the provider and comes back to the page they wanted; signing out says what is left', async (context) => {
  await using provider = await TestProvider.start();
  await using visit = await signedIn(context, { locale: 'en-US' }, settingsOf(provider));
  if (visit === undefined) return;
  const { page, service, complaints } = visit;
  provider.serve(`${service.url}/sign-in/provider/callback`);
  provider.people.set('bob', { email: 'bob@example.org', email_verified: true });
  await callAs(page, 'POST', '/api/invitations', { email: 'bob@example.org', role: 'developer' });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();

  await page.goto(`${service.url}/suppressions?search=ann`);
  const way = page.getByRole('link', { name: /^Sign in by 127\.0\.0\.1/ });
  await way.waitFor();
  assert.deepEqual(await offences(page), []);
  await way.click();
  await page.getByPlaceholder('Enter any login').fill('bob');
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(`${service.url}/suppressions?search=ann`);
  await page.getByRole('heading', { name: 'Suppressions' }).waitFor();
  await page.getByText('bob@example.org').waitFor();
  await page.getByRole('link', { name: 'My profile' }).click();
  await page.getByText('have no password here').waitFor();
  assert.equal(await page.getByLabel('Current password').count(), 0);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out here').waitFor();
  assert.deepEqual(await offences(page), []);
  await page.getByRole('link', { name: 'Sign out there, too' }).click();
  await page.getByRole('button', { name: /Yes, sign me out/ }).click();
  assert.deepEqual(complaints, []);
});

test('who is not let in is told why in their own language, and may try otherwise', async (context) => {
  await using provider = await TestProvider.start();
  await using visit = await signedIn(context, { locale: 'ru-RU' }, settingsOf(provider));
  if (visit === undefined) return;
  const { page, service } = visit;
  provider.serve(`${service.url}/sign-in/provider/callback`);
  provider.people.set('eve', { email: 'eve@example.org', email_verified: true });
  await page.getByRole('button', { name: 'Выйти' }).click();
  await page.getByRole('link', { name: /^Войти через 127\.0\.0\.1/ }).click();
  await page.getByPlaceholder('Enter any login').fill('eve');
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Вас пока никто не пригласил').waitFor();
  assert.deepEqual(await offences(page), []);
  await page.getByLabel('Электронная почта').fill('anna@example.com');
  await page.getByLabel('Пароль').fill('a password of some length');
  await page.getByRole('button', { name: 'Войти' }).click();
  await page.getByRole('heading', { name: 'Письма' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
});
