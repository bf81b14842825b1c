/** Who was it? Requests as they come from real programs, and the label, confidence and reason that each gets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type VisitFacts, visitorByFacts, visitorByRequest } from '../../src/track/visitor.ts';
import type { Visit } from '../../src/track/visit.ts';

const deliveredAtMs = Date.UTC(2030, 0, 1);
const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const open: Visit = {
  type: 'opened',
  messageId: 1,
  atMs: deliveredAtMs + 3_600_000,
  url: '',
  userAgent: chrome,
  address: '203.0.113.7',
  isHead: false,
  isPrefetch: false,
};
const click: Visit = { ...open, type: 'clicked', url: 'https://example.org/' };
const alone: VisitFacts = { deliveredAtMs, linksAtOnce: 1, askedHead: false, isEndless: false };

const label = (visit: Visit, facts: VisitFacts = alone) => {
  const { kind, confidence, reason } = visitorByRequest(visit) ?? visitorByFacts(visit, facts);
  assert.ok(confidence > 0 && confidence <= 1);
  assert.ok(reason.length > 10);
  return kind;
};

test('mailbox providers’ proxies are told by what they call themselves and where they fetch from', () => {
  for (const userAgent of [
    'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
    'YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html',
    'Mozilla/5.0 (compatible; OutlookImageProxy/1.0)',
    'Mozilla/5.0',
  ]) {
    assert.equal(label({ ...open, userAgent }), 'proxy', userAgent);
  }
  assert.equal(label({ ...open, address: '17.58.97.1' }), 'proxy', 'Apple');
  assert.equal(label({ ...open, address: '::ffff:66.249.84.10' }), 'proxy', 'Google');
  assert.equal(label({ ...click, address: '17.58.97.1' }), 'human', 'people at Apple click');
});

test('scanners, previews, programs and prefetching are machines, at any time', () => {
  for (const userAgent of [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Microsoft Office Existence Discovery',
    'BarracudaCentral; Barracuda Sentinel (EE)',
    'Mozilla/5.0 (compatible; Google-Safety; +http://www.google.com/bot.html)',
    'TelegramBot (like TwitterBot)',
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'python-requests/2.32.0',
    'Go-http-client/2.0',
    'curl/8.5.0',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36',
    '',
  ]) {
    assert.equal(label({ ...click, userAgent }), 'machine', userAgent);
    assert.equal(label({ ...open, userAgent }), 'machine', userAgent);
  }
  assert.equal(label({ ...click, userAgent: 'Mozilla/5.0' }), 'machine');
  assert.equal(label({ ...click, isHead: true }), 'machine');
  assert.equal(label({ ...open, isPrefetch: true }), 'machine');
  for (const address of ['40.94.30.1', '209.222.82.9', '148.163.130.4', '205.139.110.61', '67.219.246.1']) {
    assert.equal(label({ ...click, address }), 'machine', address);
  }
});

test('the time since delivery and the message’s other visits count where the program says nothing', () => {
  const after = (visit: Visit, ms: number) => label({ ...visit, atMs: deliveredAtMs + ms });
  assert.deepEqual([after(open, 500), after(open, 2500)], ['machine', 'human']);
  assert.deepEqual(
    [after(click, 500), after(click, 4000), after(click, 6000)],
    ['machine', 'machine', 'human'],
  );
  assert.deepEqual(
    [after(open, -300), label(open, { ...alone, deliveredAtMs: undefined })],
    ['machine', 'machine'],
  );
  assert.equal(label(click, { ...alone, linksAtOnce: 3 }), 'machine');
  assert.equal(label(click, { ...alone, linksAtOnce: 2 }), 'human');
  assert.equal(label(click, { ...alone, askedHead: true }), 'machine');
  assert.equal(label(click, { ...alone, isEndless: true }), 'machine');
  const proxied = { ...open, userAgent: 'Mozilla/5.0 (via ggpht.com GoogleImageProxy)' };
  assert.equal(label(proxied, { ...alone, isEndless: true }), 'proxy', 'what the request says comes first');
});

test('people are people: browsers and mail programs, and the simulator on this machine alone', () => {
  for (const userAgent of [
    chrome,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0',
    'Microsoft Office/16.0 (Microsoft Outlook 16.0.17328; Pro)',
  ]) {
    assert.equal(label({ ...open, userAgent }), 'human', userAgent);
    assert.equal(label({ ...click, userAgent }), 'human', userAgent);
  }
  const simulated = { ...click, userAgent: 'Aftersend-Simulator/1', atMs: deliveredAtMs + 500 };
  assert.equal(label({ ...simulated, address: '127.0.0.1' }), 'human');
  assert.equal(label(simulated), 'machine', 'anybody can write this name');
});

test('whatever comes, it gets a label', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.boolean(), (userAgent, address, isHead) => {
      assert.ok(['human', 'proxy', 'machine'].includes(label({ ...click, userAgent, address, isHead })));
    }),
  );
});
