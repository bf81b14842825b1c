/**
 * Checking a webhook's signature (Standard Webhooks), ready to copy, in the languages that receivers are written in. Pure texts, each
 * of which `tests/clients/shown-verifiers.test.ts` runs on a real request.
 */

export const verifierNames = ['Node.js', 'PHP', 'Python', 'Go', 'Ruby', 'Java'] as const;
export type VerifierName = (typeof verifierNames)[number];

export const verifiers: Readonly<Record<VerifierName, string>> = {
  'Node.js': `import { createHmac, timingSafeEqual } from 'node:crypto';

// headers: as node:http gives them; body: the bytes as they came; secret: whsec_…
export function isFromAftersend(headers, body, secret) {
  const id = headers['webhook-id'], time = headers['webhook-timestamp'];
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= 300)) return false;
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const ours = createHmac('sha256', key).update(\`\${id}.\${time}.\`).update(body).digest();
  return String(headers['webhook-signature']).split(' ').some((part) => {
    const theirs = Buffer.from(part.replace('v1,', ''), 'base64');
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  });
}
`,
  PHP: `<?php
// is_from_aftersend($_SERVER, file_get_contents('php://input'), 'whsec_…')
function is_from_aftersend(array $server, string $body, string $secret): bool
{
    $id = $server['HTTP_WEBHOOK_ID'] ?? '';
    $time = $server['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (abs(time() - (int) $time) > 300) return false;
    $key = base64_decode(str_replace('whsec_', '', $secret));
    $ours = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
    foreach (explode(' ', $server['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $theirs) {
        if (hash_equals($ours, $theirs)) return true;
    }
    return false;
}
`,
  Python: `import base64, hashlib, hmac, time

# headers: what finds "webhook-id"; body: the bytes as they came; secret: whsec_…
def is_from_aftersend(headers, body: bytes, secret: str) -> bool:
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f'{headers.get("webhook-id")}.{stamp}.'.encode() + body
    ours = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    return any(hmac.compare_digest(ours, theirs.encode())
               for theirs in headers.get("webhook-signature", "").split(" "))
`,
  Go: `package aftersend

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// IsOurs tells whether Aftersend sent it; body: the bytes as they came, secret: whsec_…
func IsOurs(header http.Header, body []byte, secret string) bool {
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	ours := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, theirs := range strings.Fields(header.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(ours), []byte(theirs)) {
			return true
		}
	}
	return false
}
`,
  Ruby: `require "openssl"

# env: of Rack; body: the bytes as they came; secret: whsec_…
def from_aftersend?(env, body, secret)
  id, time = env["HTTP_WEBHOOK_ID"], env["HTTP_WEBHOOK_TIMESTAMP"]
  return false if (Time.now.to_i - time.to_i).abs > 300

  key = secret.delete_prefix("whsec_").unpack1("m")
  mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{time}.".b + body.b)
  ours = "v1," + [mac].pack("m0")
  env["HTTP_WEBHOOK_SIGNATURE"].to_s.split.any? { |theirs| OpenSSL.secure_compare(ours, theirs) }
end
`,
  Java: `import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Aftersend {
    /** The three headers as they came, the bytes of the body, the secret whsec_… */
    public static boolean isOurs(String id, String timestamp, String signature, byte[] body, String secret)
            throws GeneralSecurityException {
        if (!timestamp.matches("\\\\d{1,12}")) return false;
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > 300) return false;
        byte[] key = Base64.getDecoder().decode(secret.replace("whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes());
        byte[] ours = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes();
        for (String theirs : signature.split(" ")) {
            if (MessageDigest.isEqual(ours, theirs.getBytes())) return true;
        }
        return false;
    }
}
`,
};
