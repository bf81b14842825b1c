/**
 * How mail goes to each destination: which servers are one destination, how many connections it gets, how much each of
 * them carries and how many messages go there a minute. The operator's settings come first, then what is known of large
 * providers, then a cautious default. Numbers for providers are on the careful side of what they publish or tolerate;
 * what they say as mail goes (`pace.ts`) counts for more.
 */

export interface DestinationLimits {
  readonly connections: number;
  readonly messagesPerConnection: number;
  readonly messagesPerMinute: number;
}

export interface Destination {
  /** Messages with the same one share limits and connections. */
  readonly name: string;
  readonly limits: DestinationLimits;
  /** Each process has one of this name for itself. */
  readonly isOwn?: true;
}

/** For servers that nothing is known of. */
const usual: DestinationLimits = { connections: 10, messagesPerConnection: 100, messagesPerMinute: 1200 };

/** By the ends of MX host names, the servers of one provider, whatever the recipient's domain. */
const providers: readonly {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly limits: DestinationLimits;
}[] = [
  provider('google', 'google.com googlemail.com', 20, 100, 3000),
  provider('outlook.com', 'olc.protection.outlook.com', 15, 100, 1500),
  provider('microsoft-365', 'mail.protection.outlook.com mx.microsoft', 20, 100, 2000),
  provider('yahoo', 'yahoodns.net', 10, 20, 600),
  provider('apple', 'icloud.com', 5, 50, 600),
  provider('mail.ru', 'mail.ru', 10, 50, 900),
  provider('yandex', 'yandex.ru yandex.net', 10, 50, 900),
  provider('rambler', 'rambler.ru', 3, 20, 120),
  provider('gmx-web.de', 'gmx.net web.de', 8, 50, 600),
  provider('ionos', 'kundenserver.de ionos.de ionos.com', 8, 50, 600),
  provider('t-online', 't-online.de', 5, 50, 300),
  provider('orange', 'orange.fr wanadoo.com', 2, 50, 120),
  provider('free', 'free.fr', 2, 50, 120),
  provider('laposte', 'laposte.net', 2, 50, 120),
  provider('sfr', 'sfr.fr', 2, 50, 120),
  provider('comcast', 'comcast.net', 5, 50, 300),
  provider('charter', 'charter.net', 5, 50, 300),
  provider('cox', 'cox.net', 3, 50, 120),
  provider('proton', 'protonmail.ch proton.me', 5, 50, 300),
  provider('fastmail', 'messagingengine.com', 10, 100, 900),
  provider('zoho', 'zoho.com zoho.eu', 5, 50, 300),
  provider('qq', 'qq.com', 5, 20, 120),
  provider('netease', 'netease.com 163.com 126.com', 5, 20, 120),
  provider('naver', 'naver.com', 5, 20, 300),
  provider('mimecast', 'mimecast.com', 10, 50, 600),
  provider('proofpoint', 'pphosted.com ppe-hosted.com', 10, 50, 600),
  provider('barracuda', 'barracudanetworks.com', 10, 50, 600),
];

function provider(
  name: string,
  hosts: string,
  connections: number,
  messagesPerConnection: number,
  messagesPerMinute: number,
) {
  return {
    name,
    hosts: hosts.split(' '),
    limits: { connections, messagesPerConnection, messagesPerMinute },
  };
}

/**
 * @param hosts best first; of several with the same preference the same one speaks for all of them each time
 * @param settings the operator's, by provider or by the end of an MX host name
 */
export function destinationOf(
  hosts: readonly { readonly name: string; readonly preference: number }[],
  settings: ReadonlyMap<string, DestinationLimits>,
): Destination {
  const best = Math.min(...hosts.map(({ preference }) => preference));
  const [host = ''] = hosts
    .filter(({ preference }) => preference === best)
    .map(({ name }) => name)
    .sort();
  const known = providers.find(({ hosts }) => hosts.some((end) => endsWith(host, end)));
  const own = [...settings].find(([name]) => name === known?.name || endsWith(host, name))?.[1];
  return { name: known?.name ?? host, limits: own ?? known?.limits ?? usual };
}

const endsWith = (host: string, end: string): boolean => host === end || host.endsWith(`.${end}`);
