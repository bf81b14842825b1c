/** Settings that go together, or that a slip of the pen would make dangerous, are refused with what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from '../../src/config/settings.ts';

const oidc = { AFTERSEND_OIDC_ISSUER: 'https://id.example.com/realms/office', AFTERSEND_OIDC_CLIENT_ID: 'a' };

test('an OpenID provider is read as it is pasted, and is not there when nothing names it', () => {
  assert.equal(readConfig({}).oidc, undefined);
  const issuer = `${oidc.AFTERSEND_OIDC_ISSUER}/.well-known/openid-configuration`;
  const admit = 'Example.com=main:support, ops.example.com=main:owner';
  assert.deepEqual(readConfig({ ...oidc, AFTERSEND_OIDC_ISSUER: issuer, AFTERSEND_OIDC_ADMIT: admit }).oidc, {
    issuer: oidc.AFTERSEND_OIDC_ISSUER,
    clientId: 'a',
    clientSecret: '',
    admit: [
      { domain: 'example.com', account: 'main', role: 'support' },
      { domain: 'ops.example.com', account: 'main', role: 'owner' },
    ],
  });
  assert.ok(readConfig({ ...oidc, AFTERSEND_OIDC_ISSUER: 'http://127.0.0.1:9000' }).oidc);
});

test('half a provider, one in the clear, or a role that is none is refused by the name of its setting', () => {
  const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ AFTERSEND_OIDC_ISSUER: oidc.AFTERSEND_OIDC_ISSUER }, /AFTERSEND_OIDC_CLIENT_ID/],
    [{ AFTERSEND_OIDC_CLIENT_ID: 'a' }, /AFTERSEND_OIDC_ISSUER/],
    [{ ...oidc, AFTERSEND_OIDC_ISSUER: 'http://id.example.com' }, /AFTERSEND_OIDC_ISSUER/],
    [{ ...oidc, AFTERSEND_OIDC_ISSUER: 'http://127.0.0.1.example.com' }, /AFTERSEND_OIDC_ISSUER/],
    [{ ...oidc, AFTERSEND_OIDC_ISSUER: 'id.example.com' }, /AFTERSEND_OIDC_ISSUER/],
    [{ ...oidc, AFTERSEND_OIDC_ADMIT: 'example.com=main:admin' }, /AFTERSEND_OIDC_ADMIT.*support/],
    [{ ...oidc, AFTERSEND_OIDC_ADMIT: 'example.com=main' }, /AFTERSEND_OIDC_ADMIT/],
    [{ ...oidc, AFTERSEND_OIDC_ADMIT: '*=main:support' }, /AFTERSEND_OIDC_ADMIT/],
  ];
  for (const [environment, message] of refused) {
    assert.throws(
      () => readConfig(environment),
      (error) => error instanceof ConfigError && message.test(error.message),
      JSON.stringify(environment),
    );
  }
});

const s3 = { AFTERSEND_S3_ACCESS_KEY: 'name', AFTERSEND_S3_SECRET_KEY: 'a secret' };

test('a place for bodies is a bucket with or without a prefix, at Amazon or elsewhere', () => {
  assert.equal(readConfig(s3).bodies, undefined);
  const place = (environment: Record<string, string>) => readConfig({ ...s3, ...environment }).bodies;
  const common = { region: 'us-east-1', accessKey: 'name', secretKey: 'a secret' };
  const amazon = { ...common, endpoint: 'https://s3.us-east-1.amazonaws.com' };
  assert.deepEqual(place({ AFTERSEND_BODIES: 's3://mail' }), { ...amazon, bucket: 'mail', prefix: '' });
  for (const path of ['s3://mail.example.com/a/b', 's3://mail.example.com/a/b/']) {
    const bodies = { AFTERSEND_BODIES: path, AFTERSEND_S3_ENDPOINT: 'http://127.0.0.1:9000/' };
    const endpoint = 'http://127.0.0.1:9000';
    assert.deepEqual(place(bodies), { ...common, endpoint, bucket: 'mail.example.com', prefix: 'a/b/' });
  }
});

test('half a place for bodies is refused by the name of its setting, and no secret is repeated', () => {
  const bodies = { AFTERSEND_BODIES: 's3://mail', ...s3 };
  const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ AFTERSEND_BODIES: 's3://mail' }, /AFTERSEND_S3_ACCESS_KEY/],
    [{ ...bodies, AFTERSEND_S3_SECRET_KEY: '' }, /AFTERSEND_S3_SECRET_KEY/],
    [{ ...bodies, AFTERSEND_BODIES: 'mail' }, /AFTERSEND_BODIES/],
    [{ ...bodies, AFTERSEND_BODIES: 's3://Mail' }, /AFTERSEND_BODIES/],
    [{ ...bodies, AFTERSEND_BODIES: 's3://mail/a b' }, /AFTERSEND_BODIES/],
    [{ ...bodies, AFTERSEND_BODIES: 's3://mail/../other' }, /AFTERSEND_BODIES/],
    [{ ...bodies, AFTERSEND_S3_ENDPOINT: 'objects.example.com' }, /AFTERSEND_S3_ENDPOINT/],
    [{ ...bodies, AFTERSEND_S3_ENDPOINT: 'https://u:hidden@objects.example.com' }, /AFTERSEND_S3_ENDPOINT/],
    [{ ...bodies, AFTERSEND_S3_ENDPOINT: 'https://objects.example.com/mail' }, /AFTERSEND_S3_ENDPOINT/],
  ];
  for (const [environment, message] of refused) {
    assert.throws(
      () => readConfig(environment),
      (error) =>
        error instanceof ConfigError && message.test(error.message) && !/hidden|a secret/.test(error.message),
      JSON.stringify(environment),
    );
  }
});
