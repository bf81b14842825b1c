/** Messages of a running service and the links that they carry, without having to be taken apart. */
import { readOrMakeSecrets } from '../src/config/secret-file.ts';
import { deriveKeys } from '../src/tokens/keys.ts';
import { trackingLinks, type TrackingLinks } from '../src/tokens/links.ts';
import { signedTokens } from '../src/tokens/signed.ts';
import type { TestAccount, TestService } from '../tests/support/service.ts';

const recipientsPerMessage = 100;

/** Sends to so many recipients. @returns their messages' ids */
export async function sendMessages(
  service: TestService,
  account: TestAccount,
  count: number,
): Promise<readonly number[]> {
  const ids: number[] = [];
  while (ids.length < count) {
    const { messages } = await service.call<{ messages: { id: number }[] }>(
      account,
      'POST',
      '/api/messages',
      {
        from: 'shop@example.com',
        bcc: Array.from({ length: recipientsPerMessage }, (_, index) => `reader-${index}@example.org`),
        subject: 'Your order 12345 is on its way',
        html: '<p>Thank you.</p>',
      },
    );
    ids.push(...messages.map(({ id }) => id));
  }
  return ids.slice(0, count);
}

/** The links of the service's messages, made with its own secret. */
export function linksOf(service: TestService): TrackingLinks {
  const keys = deriveKeys(readOrMakeSecrets(service.folder));
  return trackingLinks(signedTokens(keys), service.url, 'localhost');
}
