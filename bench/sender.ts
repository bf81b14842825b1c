/**
 * An account that may send as `example.com`, with the domain's keys, so that its mail is signed: outside the simulator,
 * mail goes out only for domains that are verified or vouched for.
 */
import type { TestAccount, TestService } from '../tests/support/service.ts';

export async function createSender(service: TestService, name = 'bench'): Promise<TestAccount> {
  const account = await service.createAccount(name);
  await service.call(account, 'POST', '/api/domains', { name: 'example.com' });
  await service.command('domain', 'vouch', name, 'example.com');
  return account;
}
