/** Which pool a message goes out from, and how the operator says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from '../../src/config/settings.ts';
import { createPools, sourcesFor } from '../../src/deliver/pools.ts';

const settings = {
  AFTERSEND_SOURCES:
    'main=192.0.2.1/mail1.example.com,main=2001:db8::1/mail1.example.com,bulk=*/mail2.example.com',
  AFTERSEND_POOLS: 'tag:newsletter=bulk, account:acme=main',
};

test('the first rule that fits decides, by tag or account', () => {
  const { sources, pools } = readConfig(settings);
  const made = [...Map.groupBy(sources, ({ pool }) => pool)].map(([name, list]) => ({ name, sources: list }));
  const own = { name: '', sources: [] };
  const poolOf = createPools(made, pools, own);
  assert.equal(poolOf({ account: 'acme', tags: ['newsletter'] }).name, 'bulk');
  assert.equal(poolOf({ account: 'acme', tags: ['receipt'] }).name, 'main');
  assert.equal(poolOf({ account: 'other', tags: [] }), own);
  const [main, bulk] = made;
  assert.ok(main !== undefined && bulk !== undefined);
  assert.deepEqual(
    sourcesFor(main, '203.0.113.1').map(({ address }) => address),
    ['192.0.2.1'],
  );
  assert.deepEqual(
    sourcesFor(main, '2001:db8::9').map(({ address }) => address),
    ['2001:db8::1'],
  );
  assert.deepEqual(
    sourcesFor(bulk, '203.0.113.1').map(({ ehloName }) => ehloName),
    ['mail2.example.com'],
  );
});

test('settings that cannot be meant are refused with what they should look like', () => {
  const bad: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ AFTERSEND_SOURCES: 'main=mail.example.com' }, /POOL=ADDRESS\/NAME/],
    [{ AFTERSEND_SOURCES: 'main=192.0.2.300/mail.example.com' }, /POOL=ADDRESS\/NAME/],
    [{ AFTERSEND_POOLS: 'acme=main' }, /account:NAME=POOL/],
    [{ ...settings, AFTERSEND_POOLS: '*=elsewhere' }, /'elsewhere' has no source/],
    [{ AFTERSEND_DESTINATIONS: 'example.org=5' }, /CONNECTIONS\/MESSAGES\/PER-MINUTE/],
    [{ AFTERSEND_DESTINATIONS: 'example.org=0/1/1' }, /CONNECTIONS\/MESSAGES\/PER-MINUTE/],
    [{ AFTERSEND_TLS_REQUIRED: 'no domain' }, /AFTERSEND_TLS_REQUIRED/],
  ];
  for (const [environment, words] of bad) {
    assert.throws(
      () => readConfig(environment),
      (error) => error instanceof ConfigError && words.test(error.message),
      JSON.stringify(environment),
    );
  }
});
