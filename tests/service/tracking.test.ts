/** The whole service, from a message to who opened it: by the simulator, under a name of its own, over a crash. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { request } from 'undici';
import { deriveKeys } from '../../src/tokens/keys.ts';
import { trackingLinks } from '../../src/tokens/links.ts';
import { signedTokens } from '../../src/tokens/signed.ts';
import { onEachStore } from '../support/each-store.ts';
import { TestService } from '../support/service.ts';
import { until } from '../support/until.ts';

const secret = 'a secret of thirty-two characters or more';

interface Story {
  readonly events: readonly {
    readonly type: string;
    readonly detail: Readonly<Record<string, unknown>>;
  }[];
}

onEachStore(
  'simulated people open and click as people; a name of its own serves links alone',
  async (place) => {
    await using service = await TestService.start(place);
    const account = await service.createAccount('acme');
    await service.call(account, 'PATCH', '/api/settings', { tracking_host: 'track.example.com' });
    const { id } = await service.call<{ id: number }>(account, 'POST', '/api/messages', {
      from: 'shop@example.com',
      to: ['clicked@simulator.test'],
      subject: 's',
      html: '<a href="https://example.com/?a=1&amp;b=ё#c">x</a>',
    });
    const { events } = await until(
      () => service.call<Story>(account, 'GET', `/api/messages/${id}`),
      (story) => story.events.some(({ type }) => type === 'clicked'),
    );
    assert.deepEqual(
      events.map(({ type, detail }) => [type, detail['visitor'], detail['first']]),
      [
        ['accepted', undefined, undefined],
        ['delivered', undefined, undefined],
        ['opened', 'human', true],
        ['clicked', 'human', true],
      ],
    );

    const links = trackingLinks(
      signedTokens(deriveKeys([place.AFTERSEND_SECRET_KEY])),
      service.url,
      'localhost',
    );
    const url = links.clickUrl(id, 'https://example.com/?a=1&b=ё#c') ?? '';
    const host = 'track.example.com';
    const [followed, api] = await Promise.all(
      [url, `${service.url}/api/settings`].map((address) => request(address, { headers: { host } })),
    );
    assert.deepEqual([followed?.statusCode, api?.statusCode], [302, 404]);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    assert.match(metrics, /aftersend_visits_total\{type="clicked",visitor="human"\} 1/);
  },
);

test('opens that came while the store could not be written are told after kill -9 and a new start', async () => {
  await using service = await TestService.start({ AFTERSEND_SECRET_KEY: secret });
  const account = await service.createAccount('acme');
  const { id } = await service.call<{ id: number }>(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 's',
    text: 'x',
  });
  await until(
    () => service.call<Story>(account, 'GET', `/api/messages/${id}`),
    (story) => story.events.some(({ type }) => type === 'delivered'),
  );
  const links = trackingLinks(signedTokens(deriveKeys([secret])), service.url, 'localhost');
  const lock = new DatabaseSync(join(service.folder, 'aftersend.db'));
  lock.exec('BEGIN IMMEDIATE');
  for (let open = 0; open < 3; open++) {
    const answer = await request(links.pixelUrl(id), { headers: { 'user-agent': 'Aftersend-Simulator/1' } });
    assert.equal(answer.statusCode, 200);
    await answer.body.dump();
  }
  const visits = join(service.folder, 'visits', '1');
  await until(
    () => readdirSync(visits).map((file) => readFileSync(join(visits, file), 'latin1')),
    (texts) => texts.join('').split(`,${id},`).length - 1 === 3,
  );
  await service.stop('SIGKILL');
  lock.exec('ROLLBACK');
  lock.close();
  await service.start();
  const { events } = await until(
    () => service.call<Story>(account, 'GET', `/api/messages/${id}`),
    (story) => story.events.filter(({ type }) => type === 'opened').length === 3,
  );
  assert.deepEqual(
    events.filter(({ type }) => type === 'opened').map(({ detail }) => detail['first']),
    [true, false, false],
  );
});
