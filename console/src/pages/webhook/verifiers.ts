/** Checking a webhook's signature (Standard Webhooks), ready to copy. Pure texts. */

export const verifierNames = ['Node.js', 'PHP', 'Python'] as const;
export type VerifierName = (typeof verifierNames)[number];

export const verifiers: Readonly<Record<VerifierName, string>> = {
  'Node.js': `import { createHmac, timingSafeEqual } from 'node:crypto';

// body: the bytes as they came; secret: whsec_…
export function isFromAftersend(headers, body, secret) {
  const id = headers['webhook-id'], time = headers['webhook-timestamp'];
  if (Math.abs(Date.now() / 1000 - Number(time)) > 300) return false;
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const ours = createHmac('sha256', key).update(\`\${id}.\${time}.\`).update(body).digest();
  return headers['webhook-signature'].split(' ').some((part) => {
    const theirs = Buffer.from(part.replace('v1,', ''), 'base64');
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  });
}
`,
  PHP: `<?php
$body = file_get_contents('php://input');
$id = $_SERVER['HTTP_WEBHOOK_ID'];
$time = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'];
$key = base64_decode(str_replace('whsec_', '', $secret));
$ours = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
$valid = abs(time() - (int) $time) <= 300 && array_filter(
    explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE']),
    fn ($theirs) => hash_equals($ours, $theirs),
);
if (!$valid) { http_response_code(401); exit; }
$events = json_decode($body, true);
`,
  Python: `import base64, hashlib, hmac, time

def is_from_aftersend(headers, body: bytes, secret: str) -> bool:
    stamp = headers["webhook-timestamp"]
    if abs(time.time() - int(stamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f'{headers["webhook-id"]}.{stamp}.'.encode() + body
    ours = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest(ours, theirs)
               for theirs in headers["webhook-signature"].split(" "))
`,
};
