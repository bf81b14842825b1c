/** How fast opens and clicks are answered; each is on disk moments after its answer, and in the log in the end. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { untilListening } from '../../tests/support/listening.ts';
import { startProgram } from '../../tests/support/program.ts';
import { freePorts, TestService } from '../../tests/support/service.ts';
import type { Contender, Row } from '../measure.ts';
import { nginxMissing, startNginx } from '../nginx.ts';
import { linksOf, sendMessages } from '../tracked-messages.ts';
import { runWrk, wrkMissing, type WrkResult, type WrkRun } from '../wrk.ts';
import { createSender } from '../sender.ts';

const seconds = 5;
/** So many that no link is asked for as often as the service would only count it. */
const messages = 10_000;
/** Each was accepted and delivered. */
const eventsBefore = 2 * messages;
/** Answered, and not counted by wrk any more. */
const mostUncounted = 32;
const lookAgainMs = 100;

export const track: Row = {
  name: 'track',
  work: 'opens and clicks in turn, 32 connections; each is in the journal before its answer, synced in moments and in the log in the end',
  unit: 'requests/s',
  better: 'more',
  toReach: '0.6 of bare node:http',
  async open(scale) {
    const missing = wrkMissing();
    if (missing !== undefined)
      return { contenders: [], leftOut: [`all: ${missing}`], async [Symbol.asyncDispose]() {} };
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'aftersend-bench-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const service = stack.use(await TestService.start());
    const pathsFile = join(folder, 'paths');
    writeFileSync(pathsFile, await trackedPaths(service));

    const [barePort = 0, nginxPort = 0] = await freePorts(2);
    const bareServer = join(import.meta.dirname, '../bare-server.ts');
    stack.use(startProgram(process.execPath, [bareServer, 'pixel', String(barePort)]));
    await untilListening(barePort);
    const wrk = (url: string): WrkRun => ({
      script: 'get-paths.lua',
      url,
      seconds: seconds * scale,
      args: [pathsFile],
    });
    const getter = (name: string, url: string): Contender => ({
      name,
      run: async () => (await runWrk(wrk(url))).perSecond,
    });
    const told = new Told(service.url);
    const aftersend: Contender = {
      name: 'aftersend',
      run: () => told.after(() => runWrk(wrk(service.url))),
    };
    const contenders = [aftersend, getter('bare node:http', `http://127.0.0.1:${barePort}`)];
    const withoutNginx = nginxMissing();
    if (withoutNginx === undefined) {
      stack.use(await startNginx(nginxPort));
      contenders.push(getter('nginx empty_gif', `http://127.0.0.1:${nginxPort}`));
    }
    const open = stack.move();
    return {
      contenders,
      leftOut: withoutNginx === undefined ? [] : [withoutNginx],
      notes: async () => told.notes,
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  },
};

/** Holds the service to what it answered: the next contender begins when the log has all of it, and it is counted. */
class Told {
  readonly #url: string;
  readonly #notes: string[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  /** @returns the rate @throws Error if a visit that was answered did not come to the log, or came twice */
  async after(run: () => Promise<WrkResult>): Promise<number> {
    const before = await this.#sum('visits_total');
    const { answers, perSecond } = await run();
    const endedMs = performance.now();
    while ((await this.#sum('visits_waiting')) > 0) await sleep(lookAgainMs);
    const waitedS = (performance.now() - endedMs) / 1000;
    const toldSoFar = await this.#sum('visits_total');
    while ((await this.#sum('events_counted_total')) < eventsBefore + toldSoFar) await sleep(lookAgainMs);
    const told = toldSoFar - before;
    const lost = await this.#sum('visits_lost_total');
    if (lost > 0 || told < answers || told > answers + mostUncounted) {
      throw new Error(`${answers} answers, ${told} visits in the log, ${lost} lost`);
    }
    this.#notes.push(`${told} visits were in the log ${waitedS.toFixed(1)} s after the last answer`);
    this.#notes.push(await this.#syncs());
    return perSecond;
  }

  /** How soon the disk had what was answered, since the service started. */
  async #syncs(): Promise<string> {
    const text = await this.#metrics();
    const syncs = Number(/^aftersend_visits_sync_seconds_count (\d+)$/m.exec(text)?.[1]);
    const inTime = Number(/^aftersend_visits_sync_seconds_bucket\{le="0.05"\} (\d+)$/m.exec(text)?.[1]);
    return `${((100 * inTime) / syncs).toFixed(1)} % of ${syncs} syncs ended within 50 ms of the first answer in them`;
  }

  async #metrics(): Promise<string> {
    return (await fetch(`${this.#url}/metrics`)).text();
  }

  /** Of a metric over all its labels. */
  async #sum(name: string): Promise<number> {
    const text = await this.#metrics();
    const values = text.matchAll(new RegExp(`^aftersend_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
    return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
  }
}

/** An open and a click of each message, one a line, when all of them are delivered. */
async function trackedPaths(service: TestService): Promise<string> {
  const links = linksOf(service);
  const ids = await sendMessages(service, await createSender(service), messages);
  while (!/^aftersend_queue_messages 0$/m.test(await (await fetch(`${service.url}/metrics`)).text())) {
    await sleep(lookAgainMs);
  }
  return ids
    .flatMap((id) => [links.pixelUrl(id), links.clickUrl(id, `https://shop.example.com/orders/${id}`) ?? ''])
    .map((url) => new URL(url).pathname)
    .join('\n');
}
