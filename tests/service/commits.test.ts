/**
 * How often the disk is waited for: a message is accepted, claimed, delivered, told of and counted, and each of these is
 * durable, but hardly any has a commit of its own.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestReceiver } from '../support/receiver.ts';
import { TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const messages = 1000;
const callers = 100;
/** Where the index of SQLite's write-ahead log counts transactions (sqlite.org/walformat.html, section 2.1). */
const countedAt = 8;

test('a thousand messages take no more than five hundred commits, from their acceptance to the last webhook', async () => {
  await using receiver = await TestReceiver.start();
  await using service = await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' });
  const account = await service.createAccount('acme');
  await service.call(account, 'POST', '/api/webhooks', {
    url: receiver.url,
    dialect: 'msndr',
    types: ['delivered'],
  });
  const before = commitsIn(service.folder);
  let sent = 0;
  const send = async () => {
    while (sent < messages) {
      sent += 1;
      await service.call(account, 'POST', '/api/messages', {
        from: 'shop@example.com',
        to: ['delivered@simulator.test'],
        subject: 'Your order',
        text: 'It is on its way.',
      });
    }
  };
  await Promise.all(Array.from({ length: callers }, send));
  await until(
    () => receiver.requests.length,
    (told) => told >= messages,
  );
  const commits = commitsIn(service.folder) - before;
  // Each of them waited for is three for a message at least: accepted, claimed, delivered.
  assert.ok(commits > 0 && commits <= messages / 2, `${commits} commits`);
});

function commitsIn(folder: string): number {
  const file = openSync(join(folder, 'aftersend.db-shm'), 'r');
  try {
    const count = new Uint32Array(1);
    readSync(file, count, 0, count.byteLength, countedAt);
    return count[0] ?? 0;
  } finally {
    closeSync(file);
  }
}
