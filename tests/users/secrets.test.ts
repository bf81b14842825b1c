/** Passwords and one-time codes, held to their standards' own examples. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../src/platform/clock.ts';
import { newTotpSecret, totpStep } from '../../src/users/one-time-codes.ts';
import { passwords } from '../../src/users/passwords.ts';

test('one-time codes are those of RFC 6238, appendix B, and hold for a step either way', () => {
  // '12345678901234567890', the appendix's secret, in base32; its codes shortened to six digits.
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  for (const [seconds, code] of [
    [59, '287082'],
    [1111111109, '081804'],
    [1234567890, '005924'],
    [20000000000, '353130'],
  ] as const) {
    const step = Math.floor(seconds / 30);
    assert.equal(totpStep(secret, code, seconds * 1000), step);
    assert.equal(totpStep(secret, code, (seconds + 30) * 1000), step);
    assert.equal(totpStep(secret, code, (seconds + 90) * 1000), undefined);
  }
  assert.equal(totpStep(secret, '28708', 59_000), undefined);
  assert.match(newTotpSecret(systemRandom), /^[A-Z2-7]{32}$/);
});

test('a password fits its own hash and no other, however its letters were typed; nobody has none that fits', async () => {
  const people = passwords(systemRandom);
  const stored = await people.hash('пароль й из букв');
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.equal(await people.fits('пароль и\u0306 из букв', stored), true);
  assert.equal(await people.fits('пароль и из букв', stored), false);
  assert.equal(await people.fits('пароль й из букв', undefined), false);
});
