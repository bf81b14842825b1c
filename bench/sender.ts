/** An account that may send as `example.com`: outside the simulator, mail goes out only for domains that are vouched for. */
import type { TestAccount, TestService } from '../tests/support/service.ts';

export async function createSender(service: TestService, name = 'bench'): Promise<TestAccount> {
  const account = await service.createAccount(name);
  await service.command('domain', 'vouch', name, 'example.com');
  return account;
}
