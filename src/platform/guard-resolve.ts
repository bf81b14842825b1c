/**
 * Names to addresses for guarded connections. Asks the name servers itself (c-ares) instead of by `dns.lookup`, whose
 * four threads are shared with all file access: a dead name server of one customer would stop everybody.
 */
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';

/** @throws when the name has no address or its servers do not answer */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

const answerTimeoutMs = 3_000;
const tries = 2;

/** @param server HOST:PORT of the resolver to ask, the system's when '' */
export function systemResolve(server = ''): Resolve {
  const resolver = new Resolver({ timeout: answerTimeoutMs, tries });
  if (server !== '') resolver.setServers([server]);
  return async (hostname) => {
    const name = hostname.toLowerCase().replace(/\.$/, '');
    // RFC 6761, section 6.3: never asked of a server.
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const listed = await fromHostsFile(name);
    if (listed.length > 0) return listed;
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const [first] = answers;
    throw first.status === 'rejected' ? (first.reason as Error) : new Error(`${name} has no address`);
  };
}

async function fromHostsFile(name: string): Promise<string[]> {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return address && names.some((listed) => listed.toLowerCase() === name) ? [address] : [];
  });
}
