/** Signatures as AWS's own documentation shows them ("Examples: Signature Calculations in Signature Version 4"). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256, sign } from '../../src/store/objects/signature.ts';

const credentials = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const atMs = Date.UTC(2013, 4, 24);
const host = 'examplebucket.s3.amazonaws.com';
const nothing = sha256('');

const signatureOf = (request: Parameters<typeof sign>[0]) =>
  /Signature=(\w+)$/.exec(sign(request, credentials, atMs)['authorization'] ?? '')?.[1];

test('a request is signed as the documentation signs it', () => {
  assert.equal(
    signatureOf({
      method: 'GET',
      path: '/test.txt',
      query: '',
      headers: { host, range: 'bytes=0-9' },
      contentHash: nothing,
    }),
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
  assert.equal(
    signatureOf({
      method: 'PUT',
      path: '/test%24file.text',
      query: '',
      headers: {
        host,
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      contentHash: sha256('Welcome to Amazon S3.'),
    }),
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
  assert.equal(
    signatureOf({
      method: 'GET',
      path: '/',
      query: 'max-keys=2&prefix=J',
      headers: { host },
      contentHash: nothing,
    }),
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  );
});
