/**
 * Pixel and links are answered before the application where that can be: whatever is asked, and however, the answer and
 * what is recorded of it are the same as the application's own.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { inNetworks } from '../../src/platform/networks.ts';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { quickVisits } from '../../src/track/answers.ts';
import { trackRoutes } from '../../src/track/routes.ts';
import type { Visit } from '../../src/track/visit.ts';
import ipaddr from 'ipaddr.js';
import { type ApiUnderTest, startApi } from '../api/api-under-test.ts';
import { ManualClock } from '../support/manual-clock.ts';

const tokens = signedTokens(deriveKeys(['a secret that is long enough for tests']));
const links = trackingLinks(tokens, 'http://track.example', 'mail.example.org');
const clock = new ManualClock();
const proxies = inNetworks(
  ['127.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'].map((cidr) => ipaddr.parseCIDR(cidr)),
);

interface Server {
  readonly api: ApiUnderTest;
  readonly registry: Registry;
  /** And written down. */
  readonly recorded: Visit[];
}

const servers: Server[] = [];

async function startServer(isQuick: boolean): Promise<Server> {
  const recorded: Visit[] = [];
  const unwritten: Visit[] = [];
  const recorder = {
    record: (visit: Visit) => void unwritten.push(visit),
    writeDown: () => void recorded.push(...unwritten.splice(0)),
  };
  const registry = new Registry();
  const nothing = () => assert.fail('nobody unsubscribes here');
  const leaving = {
    log: { report: nothing },
    suppressions: { add: nothing, find: nothing, remove: nothing, settings: nothing },
  };
  const parts = { tokens, recorder, clock, ...leaving };
  const api = await startApi({
    isProxy: proxies,
    registry,
    routes: {
      ...(isQuick && { quick: quickVisits(parts) }),
      open: [(app) => trackRoutes(app, parts)],
      native: [],
      msndr: [],
    },
  });
  return { api, registry, recorded };
}

before(async () => {
  servers.push(await startServer(true), await startServer(false));
});
after(async () => {
  for (const { api } of servers) await api[Symbol.asyncDispose]();
});

/** Sends bytes and reads to the end. @returns the answers as they came, but for the time, in the order of their headers' names */
async function exchange({ api, recorded }: Server, request: string) {
  recorded.length = 0;
  const socket = connect(api.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.end(request);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [head = '', ...rest] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n');
  const [status, ...headers] = head.split('\r\n');
  return {
    status,
    headers: headers.filter((line) => !line.toLowerCase().startsWith('date:')).sort(),
    body: rest.join('\r\n\r\n'),
    recorded: [...recorded],
  };
}

const asked = (method: string, target: string, headers: readonly string[], version = '1.1') =>
  [
    `${method} ${target} HTTP/${version}`,
    'Host: track.example',
    'Connection: close',
    ...headers,
    '',
    '',
  ].join('\r\n');

const pathOf = (url: string | undefined) => new URL(url ?? '').pathname;
const open = pathOf(links.pixelUrl(17));
const click = pathOf(links.clickUrl(17, 'https://example.org/a?b=c#d'));
const foreign = pathOf(links.clickUrl(17, 'https://пример.рф/путь?ключ=é'));

const targets = [
  ...[open, click, foreign, `${open}?x=1`, `${click}#x`, `${click};x`, `${open}/`, `${open}=`, `${click}x`],
  ...[
    open.slice(0, -1),
    open.replace('/o/', '/c/'),
    click.replace('/c/', '/o/'),
    '/o/',
    '/c/',
    '/o',
    '/c/%00',
  ],
  ...[
    `/o/%${open.charCodeAt(3).toString(16)}${open.slice(4)}`,
    `//track.example${open}`,
    `http://x.example${open}`,
  ],
  ...[
    `/c/../o/${open.slice(3)}`,
    `/c/${'A'.repeat(5000)}`,
    '/c/https://evil.example/',
    '*',
    `/O/${open.slice(3)}`,
  ],
];
const hops = [
  '198.51.100.7',
  '192.0.2.9',
  '127.0.0.1',
  '::ffff:192.0.2.1',
  '2001:db8::1',
  '2a00::1',
  'unknown',
  '',
  ' ',
];
const headerSets = fc.tuple(
  fc.option(fc.constantFrom('Mozilla/5.0', '', 'x'.repeat(600), 'caf\u00e9')),
  fc.array(fc.constantFrom(...hops), { maxLength: 4 }),
  fc.option(
    fc.constantFrom('Sec-Purpose: prefetch;prerender', 'Purpose: preview', 'X-Moz: prefetch', 'Purpose: x'),
  ),
  fc.boolean(),
);

test('whatever is asked, the quick answer is the application’s, and so is what is recorded', async () => {
  const [quick, application] = servers as [Server, Server];
  const methods = fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'PUT');
  await fc.assert(
    fc.asyncProperty(
      methods,
      fc.constantFrom(...targets),
      headerSets,
      fc.constantFrom('1.1', '1.1', '1.0'),
      async (method, target, [agent, forwarded, purpose, isTwice], version) => {
        const chain = forwarded.length === 0 ? [] : [`X-Forwarded-For: ${forwarded.join(', ')}`];
        const headers = [
          ...(agent === null ? [] : [`User-Agent: ${agent}`]),
          ...chain,
          ...(isTwice ? chain : []),
          ...(purpose === null ? [] : [purpose]),
        ];
        const request = asked(method, target, headers, version);
        assert.deepEqual(await exchange(quick, request), await exchange(application, request));
      },
    ),
    {
      numRuns: 300,
      examples: targets.flatMap((target) =>
        ['GET', 'HEAD'].map((method) => [method, target, ['Mozilla/5.0', [], null, false], '1.1'] as never),
      ),
    },
  );
});

test('answers to requests that come together stay in their order, and are measured as the application’s', async () => {
  const [quick, application] = servers as [Server, Server];
  const line = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const request = [
    line(open),
    line('/healthz'),
    line(click),
    line(`${open}?x`),
    asked('GET', '/c/no', []),
  ].join('');
  for (const server of [quick, application]) {
    const { status, body } = await exchange(server, request);
    const statuses = [status, ...(body.match(/HTTP\/1\.1 \d+/g) ?? [])].map((text) => text?.slice(9, 12));
    assert.deepEqual(statuses, ['200', '200', '302', '200', '404']);
    assert.match(
      await server.registry.metrics(),
      /aftersend_http_request_seconds_count\{method="GET",route="\/c\/\*",status="302"\} [1-9]/,
    );
  }
});
