/**
 * Who opens and clicks: what is known of the programs, networks and habits behind requests, as data. A new scanner is a
 * new line here. `visitor.ts` applies it; the words are shown to users as they stand.
 */
import type { Visitor } from '../events/types.ts';

export interface AgentRule extends Visitor {
  /** Of the whole User-Agent. */
  readonly pattern: RegExp;
  /** For which visits it holds; both if undefined. */
  readonly of?: 'opened' | 'clicked';
  /** Only from this machine. */
  readonly fromLoopback?: true;
}

/** The first that matches counts. */
export const agentRules: readonly AgentRule[] = [
  {
    pattern: /^Aftersend-Simulator\//,
    fromLoopback: true,
    kind: 'human',
    confidence: 1,
    reason: 'the simulator plays a person here',
  },
  {
    pattern: /GoogleImageProxy/,
    kind: 'proxy',
    confidence: 0.95,
    reason: 'Gmail’s image proxy fetches when its reader opens the message',
  },
  {
    // Gmail fetches ahead of its reader, while one is signed in, with this string alone.
    pattern:
      /^Mozilla\/5\.0 \(Windows NT 10\.0; Win64; x64\) .*Chrome\/42\.0\.2311\.135 .*Edge\/12\.246 Mozilla\/5\.0$/,
    kind: 'machine',
    confidence: 0.9,
    reason: 'Gmail fetches pictures ahead, before anybody has opened the message',
  },
  {
    pattern: /YahooMailProxy|YahooCacheSystem/,
    kind: 'proxy',
    confidence: 0.95,
    reason: 'Yahoo’s image proxy fetches for its reader',
  },
  {
    pattern: /OutlookImageProxy/i,
    kind: 'proxy',
    confidence: 0.9,
    reason: 'Outlook’s image proxy fetches for its reader',
  },
  {
    pattern: /^Mozilla\/5\.0$/,
    of: 'opened',
    kind: 'proxy',
    confidence: 0.9,
    reason: 'Apple Mail Privacy Protection fetches every picture, whether the message is read or not',
  },
  {
    pattern:
      /Barracuda|Mimecast|Proofpoint|urldefense|Symantec|MessageLabs|IronPort|Sophos|FireEye|Trellix|Forcepoint|TrendMicro|Zscaler|Bitdefender|Kaspersky|SafeLinks|Existence Discovery|Google-Safety|CloudmarkURL|Checkpoint/i,
    kind: 'machine',
    confidence: 0.98,
    reason: 'the User-Agent is a security scanner’s',
  },
  {
    pattern:
      /BingPreview|Slackbot|facebookexternalhit|TelegramBot|WhatsApp|Twitterbot|LinkedInBot|Discordbot|SkypeUriPreview|vkShare|Viber|Google-Read-Aloud/i,
    kind: 'machine',
    confidence: 0.95,
    reason: 'the User-Agent makes previews of links',
  },
  {
    pattern: /bot\b|crawl|spider|scanner|slurp|archiver|monitor/i,
    kind: 'machine',
    confidence: 0.95,
    reason: 'the User-Agent calls itself a robot',
  },
  {
    pattern:
      /^(?:curl|Wget|python|Python|aiohttp|Go-http-client|Java|Apache-HttpClient|AHC|okhttp|libwww-perl|Ruby|PHP|GuzzleHttp|node|undici|axios|got|HTTPie|PostmanRuntime|Microsoft Office Protocol Discovery)\b|HeadlessChrome|PhantomJS|Puppeteer|Playwright/,
    kind: 'machine',
    confidence: 0.9,
    reason: 'the User-Agent is a program’s, not a browser’s or mail program’s',
  },
  {
    pattern: /^\s*$/,
    kind: 'machine',
    confidence: 0.8,
    reason: 'the request has no User-Agent, as browsers and mail programs have',
  },
  {
    pattern: /^Mozilla\/(?:4|5)\.0$/,
    of: 'clicked',
    kind: 'machine',
    confidence: 0.85,
    reason: 'the User-Agent is cut short, as no browser’s is',
  },
];

export interface NetworkRule extends Visitor {
  readonly networks: readonly string[];
  readonly of?: 'opened' | 'clicked';
}

/** Where mail security services and mailbox providers fetch from. The first that matches counts. */
export const networkRules: readonly NetworkRule[] = [
  {
    networks: ['17.0.0.0/8', '2620:149::/32', '2a01:b740::/32'],
    of: 'opened',
    kind: 'proxy',
    confidence: 0.9,
    reason: 'the address is Apple’s: Mail Privacy Protection fetches every picture',
  },
  {
    networks: ['66.102.0.0/20', '66.249.80.0/20', '72.14.192.0/18', '74.125.0.0/16'],
    of: 'opened',
    kind: 'proxy',
    confidence: 0.85,
    reason: 'the address is Google’s, where Gmail’s image proxy is',
  },
  {
    networks: ['40.92.0.0/15', '40.94.0.0/16', '40.107.0.0/16', '52.100.0.0/14', '104.47.0.0/17'],
    kind: 'machine',
    confidence: 0.9,
    reason: 'the address is Microsoft’s mail protection’s',
  },
  {
    networks: ['64.235.144.0/20', '209.222.80.0/21'],
    kind: 'machine',
    confidence: 0.95,
    reason: 'the address is Barracuda’s, which checks links',
  },
  {
    networks: ['67.231.144.0/20', '148.163.128.0/19', '185.132.180.0/22', '205.220.160.0/19'],
    kind: 'machine',
    confidence: 0.95,
    reason: 'the address is Proofpoint’s, which checks links',
  },
  {
    networks: [
      '91.220.42.0/24',
      '146.101.78.0/24',
      '195.130.217.0/24',
      '205.139.110.0/23',
      '207.211.30.0/23',
    ],
    kind: 'machine',
    confidence: 0.95,
    reason: 'the address is Mimecast’s, which checks links',
  },
  {
    networks: ['46.226.48.0/21', '67.219.240.0/20', '85.158.136.0/21', '195.245.230.0/23', '216.82.240.0/20'],
    kind: 'machine',
    confidence: 0.95,
    reason: 'the address is Symantec’s, which checks links',
  },
  {
    networks: ['68.232.128.0/19'],
    kind: 'machine',
    confidence: 0.9,
    reason: 'the address is Cisco’s mail protection’s',
  },
];

/** What a request says of itself. */
export const requestRules = {
  prefetch: {
    kind: 'machine',
    confidence: 0.95,
    reason: 'the request says that it fetches ahead',
  },
  head: {
    kind: 'machine',
    confidence: 0.97,
    reason: 'only the headers were asked for (HEAD), as link checkers do',
  },
} as const satisfies Readonly<Record<string, Visitor>>;

/** What is seen of a message's visits together. */
export const habitRules = {
  /** More visits of one link within an hour than are told one by one (`repeats.ts`). */
  endless: {
    kind: 'machine',
    confidence: 0.9,
    reason: 'the link was asked for more often within an hour than people do',
  },
  /** Different links of one message within the time. */
  manyLinks: {
    links: 3,
    withinMs: 2000,
    kind: 'machine',
    confidence: 0.9,
    reason: 'three links of the message or more were followed within two seconds',
  },
  /** The same program asked for the headers of a link of this message first. */
  headBefore: {
    withinMs: 60_000,
    kind: 'machine',
    confidence: 0.85,
    reason: 'it had asked for headers alone (HEAD) before, as link checkers do',
  },
  beforeDelivery: {
    kind: 'machine',
    confidence: 0.6,
    reason: 'the recipient’s server had not confirmed the delivery yet: it looked into the message itself',
  },
  soonAfterDelivery: {
    openedMs: 2000,
    clickedMs: 5000,
    kind: 'machine',
    confidence: 0.7,
    reason: 'it came within seconds of the delivery, sooner than people read',
  },
} as const;

/** Nothing of the above. */
export const humanRules: readonly AgentRule[] = [
  {
    pattern: /Thunderbird|Outlook|MSOffice|AppleMail|Spark|eM Client|The Bat!|YandexMail|MailRu/i,
    kind: 'human',
    confidence: 0.85,
    reason: 'the User-Agent is a mail program’s, and nothing speaks for a machine',
  },
  {
    pattern: /^Mozilla\/5\.0 \((?:Windows|Macintosh|iPhone|iPad|Linux|X11|Android|Mobile)/,
    kind: 'human',
    confidence: 0.8,
    reason: 'the User-Agent is a browser’s, and nothing speaks for a machine',
  },
  {
    pattern: /^/,
    kind: 'human',
    confidence: 0.5,
    reason: 'nothing speaks for a machine, nor much for a person',
  },
];
