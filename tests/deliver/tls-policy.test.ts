/**
 * DNSSEC, DANE and MTA-STS as they are met outside: zones signed by Knot, validated by Unbound, certificates of an
 * authority, a policy served by HTTPS, and mail that goes through or does not.
 */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { makeAttempt } from '../../src/deliver/attempt.ts';
import { AttemptError } from '../../src/deliver/attempt-error.ts';
import { Connections } from '../../src/deliver/connections.ts';
import { defaultLimits } from '../../src/deliver/deliver.ts';
import { createMailHosts } from '../../src/deliver/dns/mail-hosts.ts';
import { createRouter } from '../../src/deliver/route.ts';
import { Slots } from '../../src/deliver/slots.ts';
import { createStsPolicies } from '../../src/deliver/tls/mta-sts.ts';
import { createDemands } from '../../src/deliver/tls/policy.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { createResolver } from '../../src/platform/dns/resolver.ts';
import { addressGuard } from '../../src/platform/guard.ts';
import { guardedAgent } from '../../src/platform/guard-agent.ts';
import { networks } from '../../src/config/readers.ts';
import { anAuthority } from '../support/authority.ts';
import { startKnot } from '../support/knot.ts';
import { peerOrSkip } from '../support/peers.ts';
import { startUnbound } from '../support/unbound.ts';

const authority = anAuthority();
const good = authority.certificate(
  'mx.signed.test',
  'mx2.signed.test',
  'mx.plain.test',
  'mta-sts.plain.test',
  'mta-sts.moody.test',
);
const trusted = getCACertificates('default');
after(() => setDefaultCACertificates(trusted));
setDefaultCACertificates([...trusted, authority.cert]);

/** A mail server with that certificate. */
async function startMailServer(certificate: { cert: string; key: string } | undefined) {
  const taken: string[] = [];
  const server = new SMTPServer({
    ...certificate,
    authOptional: true,
    ...(certificate === undefined && { disabledCommands: ['STARTTLS'] }),
    onData(stream, session, callback) {
      stream.resume();
      stream.on('end', () => {
        taken.push(session.envelope.rcptTo[0]?.address ?? '');
        callback();
      });
    },
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    taken,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** Serves policies by the name that is asked for. */
async function startPolicyServer(policies: Readonly<Record<string, string>>) {
  const server: Server = createServer({ cert: good.cert, key: good.key }, (request, response) => {
    const policy = policies[(request.headers.host ?? '').replace(/:\d+$/, '')];
    asked.push(request.headers.host ?? '');
    response.writeHead(policy === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(policy);
  });
  const asked: string[] = [];
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const hex = (bytes: Buffer) => bytes.toString('hex');
const spkiHash = (cert: string) =>
  hex(
    createHash('sha256')
      .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
      .digest(),
  );

const authorityHash = hex(createHash('sha256').update(new X509Certificate(authority.cert).raw).digest());

test('who may be sent to by which TLS is as DNS and policies say', async (context) => {
  const [knotd, unbound] = [peerOrSkip(context, 'knotd'), peerOrSkip(context, 'unbound')];
  if (knotd === undefined || unbound === undefined) return;
  await using mail = await startMailServer(good);
  await using selfMade = await startMailServer(anAuthority().certificate('mx.plain.test'));
  await using clear = await startMailServer(undefined);
  const policy = (mode: string, mx: string) =>
    `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`;
  await using policies = await startPolicyServer({
    'mta-sts.plain.test': policy('enforce', '*.plain.test'),
    'mta-sts.moody.test': policy('enforce', 'other.moody.test'),
  });
  const tlsa = (name: string, rdata: string) => `_${mail.port}._tcp.${name} TLSA ${rdata}`;
  await using zones = await startKnot(knotd, [
    {
      name: 'signed.test',
      signed: true,
      lines: [
        '@ MX 10 mx',
        'mx A 127.0.0.1',
        tlsa('mx', `3 1 1 ${spkiHash(good.cert)}`),
        'anchored MX 10 mx2.signed.test.',
        'mx2 A 127.0.0.1',
        tlsa('mx2', `2 0 1 ${authorityHash}`),
        'misnamed MX 10 mx6.signed.test.',
        'mx6 A 127.0.0.1',
        tlsa('mx6', `2 0 1 ${authorityHash}`),
        'wrong MX 10 mx3.signed.test.',
        'mx3 A 127.0.0.1',
        tlsa('mx3', `3 1 1 ${'ab'.repeat(32)}`),
        'useless MX 10 mx4.signed.test.',
        'mx4 A 127.0.0.1',
        tlsa('mx4', `0 1 1 ${'ab'.repeat(32)}`),
        'none MX 10 mx5.signed.test.',
        'mx5 A 127.0.0.1',
      ],
    },
    {
      name: 'plain.test',
      lines: [
        '@ MX 10 mx',
        'mx A 127.0.0.1',
        '_mta-sts TXT "v=STSv1; id=1;"',
        'mta-sts A 127.0.0.1',
        tlsa('mx', `3 1 1 ${'ab'.repeat(32)}`),
      ],
    },
    {
      name: 'moody.test',
      lines: ['@ MX 10 mx', 'mx A 127.0.0.1', '_mta-sts TXT "v=STSv1; id=1;"', 'mta-sts A 127.0.0.1'],
    },
    { name: 'bogus.test', signed: true, lines: ['@ MX 10 mx', 'mx A 127.0.0.1'] },
  ]);
  await using resolving = await startUnbound(unbound, {
    zones: new Map(
      ['signed.test', 'plain.test', 'moody.test', 'bogus.test'].map((name) => [name, zones.port]),
    ),
    // What vouches for bogus.test is another zone's key.
    anchors: [
      ...(await zones.delegation('signed.test')),
      ...(await zones.delegation('signed.test')).map((line) => line.replace(/^signed/, 'bogus')),
    ],
  });

  const counted: string[] = [];
  const count = (policyType: string, result: string) => counted.push(`${policyType} ${result}`);
  const resolver = createResolver({ server: resolving.address, clock: systemClock, random: systemRandom });
  const guard = addressGuard(networks('127.0.0.0/8'));
  const agent = guardedAgent(guard, async () => ['127.0.0.1']);
  using connections = new Connections({ clock: systemClock, limits: defaultLimits, countTls: count });
  const ownPool = { name: '', sources: [{ address: '', ehloName: 'us.test' }] };
  const findStsPolicy = createStsPolicies({
    resolver,
    agent,
    clock: systemClock,
    count,
    httpsPort: policies.port,
  });

  async function send(domain: string, port: number, tlsRequired: readonly string[] = []): Promise<string> {
    const router = createRouter({
      route: { kind: 'mx' },
      simulator: { host: '127.0.0.1', port: 1 },
      mailHosts: createMailHosts({ resolver, mayConnect: guard, ownNames: [], random: systemRandom }),
      demandsOf: createDemands({
        resolver,
        findStsPolicy,
        tlsRequired: new Set(tlsRequired),
        // TLSA records stand at the port of the one server that has a certificate.
        port: mail.port,
        count,
      }),
      destinations: new Map(),
      port,
      poolOf: () => ownPool,
      ownPool,
      clock: systemClock,
    });
    counted.length = 0;
    const recipient = `ann@${domain}`;
    try {
      const { hosts } = await router({ recipient, account: 'acme', tags: [] });
      const content = Buffer.from('Subject: hi\r\n\r\nhello\r\n');
      const message = { envelopeSender: 'b@us.test', recipient, content, requireTls: false };
      const { result, trace } = await makeAttempt(hosts, message, {
        connections,
        slots: new Slots(() => 10),
        clock: systemClock,
        limitMs: systemClock.now() + 10_000,
      });
      const tls = /\((.*)\)/.exec(trace.tls)?.[1] ?? 'no TLS';
      if (result instanceof AttemptError) return `${result.stage} ${result.answer.enhancedCode}`;
      return `${result.code} ${tls}`;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      return `route: ${error.stage} ${error.answer.enhancedCode}`;
    }
  }

  // DANE: the server's own key, one above it, one that is not there, records nobody can use, no records.
  assert.equal(await send('signed.test', mail.port), '250 verified by DANE');
  assert.deepEqual(counted, ['tlsa success']);
  assert.equal(await send('anchored.signed.test', mail.port), '250 verified by DANE');
  assert.equal(
    await send('misnamed.signed.test', mail.port),
    'tls 4.7.5',
    'the certificate is not in that name',
  );
  assert.equal(await send('wrong.signed.test', mail.port), 'tls 4.7.5');
  assert.deepEqual(counted, ['tlsa validation-failure']);
  assert.equal(await send('useless.signed.test', clear.port), 'tls 4.7.5', 'TLS, whatever the certificate');
  assert.match(await send('useless.signed.test', mail.port), /^250 not verified/);
  assert.equal(await send('none.signed.test', clear.port), '250 no TLS');

  // MTA-STS: a TLSA record in an unsigned zone is nobody's word.
  assert.equal(await send('plain.test', mail.port), '250 verified');
  assert.deepEqual(counted, ['sts success']);
  assert.equal(await send('plain.test', selfMade.port), 'tls 4.7.5');
  assert.deepEqual(counted, ['sts certificate-not-trusted']);
  assert.equal(await send('plain.test', clear.port), 'tls 4.7.5');
  assert.deepEqual(counted, ['sts starttls-not-supported']);
  assert.equal(policies.asked.length, 1, 'a policy is fetched once');
  assert.equal(await send('moody.test', mail.port), 'route: tls 4.7.5', 'its policy names another host');

  // What cannot be believed is no answer; and the operator may ask for TLS where nobody else does.
  assert.equal(await send('bogus.test', mail.port), 'route: dns 4.4.4');
  assert.equal(await send('none.signed.test', clear.port, ['none.signed.test']), 'tls 4.7.5');
  assert.match(await send('none.signed.test', selfMade.port, ['none.signed.test']), /^250 not verified/);
  await agent.destroy();
});
