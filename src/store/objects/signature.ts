/**
 * AWS Signature Version 4 for one request, which every S3-compatible store takes: a page of code on the platform's own
 * SHA-256, instead of a client that brings its own HTTP. Pure. What it is given must be in its final form: a path
 * without anything to encode, a query sorted and encoded.
 */
import { createHash, createHmac } from 'node:crypto';

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
}

export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  /** Without the question mark, '' if none. */
  readonly query: string;
  /** By lower-case names; with the host. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the content, in hex. */
  readonly contentHash: string;
}

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** @returns the request's headers with those that sign it */
export function sign(
  { method, path, query, headers, contentHash }: SignedRequest,
  { accessKey, secretKey, region }: Credentials,
  atMs: number,
): Record<string, string> {
  const time = new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const signed: Record<string, string> = {
    ...headers,
    'x-amz-content-sha256': contentHash,
    'x-amz-date': time,
  };
  const names = Object.keys(signed).sort();
  const signedHeaders = names.join(';');
  const canonical = [
    method,
    path,
    query,
    ...names.map((name) => `${name}:${signed[name]}`),
    '',
    signedHeaders,
    contentHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretKey}`);
  const signature = hmac(key, text).toString('hex');
  const credential = `${accessKey}/${scope}`;
  return {
    ...signed,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  };
}
