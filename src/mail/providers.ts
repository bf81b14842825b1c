/**
 * Who runs mailboxes, by the domains of their addresses and by the names of their mail hosts. Facts of the world: what
 * follows from them (limits, statistics) is decided elsewhere.
 */

export interface Provider {
  readonly name: string;
  /** Ends of MX host names: their servers, whatever the recipient's domain. */
  readonly hosts: readonly string[];
  /** Domains that the provider gives addresses in; none where it serves the domains of others alone. */
  readonly domains: readonly string[];
}

function provider(name: string, hosts: string, domains = ''): Provider {
  return { name, hosts: hosts.split(' '), domains: domains === '' ? [] : domains.split(/\s+/) };
}

export const providers: readonly Provider[] = [
  provider('google', 'google.com googlemail.com', 'gmail.com googlemail.com'),
  provider(
    'outlook.com',
    'olc.protection.outlook.com',
    `outlook.com hotmail.com live.com msn.com passport.com windowslive.com outlook.fr outlook.de outlook.es outlook.it
     outlook.jp outlook.com.br outlook.co.id hotmail.co.uk hotmail.fr hotmail.de hotmail.es hotmail.it hotmail.com.br
     hotmail.com.ar hotmail.ca hotmail.co.jp hotmail.be hotmail.nl live.co.uk live.fr live.de live.it live.nl live.ca
     live.com.mx live.com.au live.ru`,
  ),
  provider('microsoft-365', 'mail.protection.outlook.com mx.microsoft'),
  provider(
    'yahoo',
    'yahoodns.net',
    `yahoo.com ymail.com rocketmail.com myyahoo.com aol.com aim.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es yahoo.it
     yahoo.ca yahoo.in yahoo.co.in yahoo.co.id yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.sg
     yahoo.com.ph yahoo.com.vn yahoo.com.tr yahoo.gr yahoo.ie yahoo.pl yahoo.ro yahoo.se`,
  ),
  provider('apple', 'icloud.com', 'icloud.com me.com mac.com'),
  provider('mail.ru', 'mail.ru', 'mail.ru inbox.ru list.ru bk.ru internet.ru xmail.ru mail.ua'),
  provider(
    'yandex',
    'yandex.ru yandex.net',
    'yandex.ru ya.ru yandex.com yandex.by yandex.kz yandex.uz yandex.ua yandex.com.tr narod.ru',
  ),
  provider('rambler', 'rambler.ru', 'rambler.ru rambler.ua lenta.ru autorambler.ru myrambler.ru ro.ru'),
  provider('gmx-web.de', 'gmx.net web.de', 'gmx.de gmx.net gmx.at gmx.ch gmx.com web.de'),
  provider('ionos', 'kundenserver.de ionos.de ionos.com', 'online.de'),
  provider('t-online', 't-online.de', 't-online.de magenta.de'),
  provider('orange', 'orange.fr wanadoo.com', 'orange.fr wanadoo.fr'),
  provider('free', 'free.fr', 'free.fr'),
  provider('laposte', 'laposte.net', 'laposte.net'),
  provider('sfr', 'sfr.fr', 'sfr.fr neuf.fr'),
  provider('comcast', 'comcast.net', 'comcast.net'),
  provider('charter', 'charter.net', 'charter.net'),
  provider('cox', 'cox.net', 'cox.net'),
  provider('proton', 'protonmail.ch proton.me', 'proton.me protonmail.com pm.me'),
  provider('fastmail', 'messagingengine.com', 'fastmail.com fastmail.fm'),
  provider('zoho', 'zoho.com zoho.eu', 'zohomail.com zohomail.eu'),
  provider('qq', 'qq.com', 'qq.com foxmail.com'),
  provider('netease', 'netease.com 163.com 126.com', '163.com 126.com yeah.net'),
  provider('naver', 'naver.com', 'naver.com'),
  provider('mimecast', 'mimecast.com'),
  provider('proofpoint', 'pphosted.com ppe-hosted.com'),
  provider('barracuda', 'barracudanetworks.com'),
];

/** @param host in lower case */
export const isWithin = (host: string, end: string): boolean => host === end || host.endsWith(`.${end}`);

const byDomain = new Map(
  providers.flatMap(({ name, domains }) => domains.map((domain) => [domain, name] as const)),
);

/** Whose servers these are, undefined if nobody's that is known. @param host of an MX record */
export function providerOfHost(host: string): string | undefined {
  const lower = host.toLowerCase();
  return providers.find(({ hosts }) => hosts.some((end) => isWithin(lower, end)))?.name;
}

/** Who gives addresses in a domain, undefined if it is somebody's own. @param domain in lower case */
export const providerOfDomain = (domain: string): string | undefined => byDomain.get(domain);
