/** Killed at any moment of any attempt, the service loses nothing, and doubles only what was in the one window. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { accepted, anAccount, aSubmission } from '../../src/store/conformance/fixtures.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { startScriptedServer } from './scripted-server.ts';

const messages = 300;

test('a process killed with SIGKILL at every kind of moment delivers everything in the end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aftersend-crash-'));
  let account = 0;
  {
    await using store = await openSqliteStore(folder, 'serve');
    account = (await anAccount(store)).id;
    const recipients = Array.from({ length: messages }, (_, index) => `r${index}@example.org`);
    const submission = {
      recipients: recipients.map((address) => ({ address, role: 'to' as const })),
      atMs: Date.now(),
    };
    await accepted(store, aSubmission(account, submission));
  }

  // Each life ends at its nth command of one kind: nothing is left to chance, and each stage has its turn.
  const deaths: readonly (readonly [RegExp, number, 'answered'?])[] = [
    [/^GREETING/, 1],
    [/^EHLO/, 3],
    [/^MAIL/, 10],
    [/^RCPT/, 20],
    [/^DATA/, 30],
    [/^CONTENT/, 1],
    [/^CONTENT/, 40],
    // The window: the server has said 250, and no outcome is stored.
    [/^CONTENT/, 60, 'answered'],
  ];
  let child: ChildProcess | undefined;
  let seen = 0;
  let death: (typeof deaths)[number] | undefined;
  await using server = await startScriptedServer({
    extensions: ['PIPELINING'],
    answer(command) {
      if (death?.[0].test(command) && ++seen === death[1]) {
        const kill = () => child?.kill('SIGKILL');
        if (death[2] === 'answered') setImmediate(kill);
        else kill();
      }
      // One that is refused for now has to come back after a death, too.
      return command.includes('<r7@') && death !== undefined ? '451 4.3.0 not yet' : undefined;
    },
  });
  const live = async () => {
    seen = 0;
    const file = join(import.meta.dirname, 'crash-child.ts');
    child = spawn(process.execPath, [file, folder, String(server.port)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return signal ?? code;
  };
  for (death of deaths) assert.equal(await live(), 'SIGKILL');
  death = undefined;
  do assert.equal(await live(), 0);
  while ((await countQueued(folder)) > 0);

  await using store = await openSqliteStore(folder, 'command');
  for (let id = 1; id <= messages; id++) {
    const events = (await store.log.ofMessage(account, id)).map(({ type }) => type);
    assert.equal(events[0], 'accepted');
    assert.equal(events.at(-1), 'delivered');
    assert.equal(events.filter((type) => type === 'delivered').length, 1, `message ${id}: ${events.join()}`);
  }
  const recipients = new Set(server.taken.map(({ to }) => to));
  assert.equal(recipients.size, messages, 'nobody went without');
  // What was on its way at each death, at most: a lane has twenty connections, and what they were told may not be stored.
  assert.ok(server.taken.length < messages * 2, `${server.taken.length} copies of ${messages}`);
  await rm(folder, { recursive: true });
});

async function countQueued(folder: string): Promise<number> {
  await using store = await openSqliteStore(folder, 'command');
  return store.queue.depth();
}
