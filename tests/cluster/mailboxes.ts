/**
 * Where all mail goes in the end: an SMTP server that remembers every copy. Some recipients are put off once, some are
 * refused, some answers come late; what the recipients then do (open, leave) goes back to the service as from anybody.
 */
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { systemClock } from '../../src/platform/clock.ts';
import { startSmtpListener } from '../../src/platform/smtp/listener.ts';
import { reply } from '../../src/platform/smtp/replies.ts';
import type { ReceivedMail } from '../../src/platform/smtp/service.ts';
import { between, type Chance } from './chance.ts';

const refused = 0.03;
const putOff = 0.1;
const late = 0.05;
const opens = 0.2;
const leaves = 0.03;

const answers = {
  ok: reply(250, '2.0.0', 'OK'),
  later: reply(451, '4.2.0', 'later'),
  never: reply(550, '5.1.1', 'nobody'),
} as const;

export interface Mailboxes extends AsyncDisposable {
  readonly port: number;
  /** When each copy came, by recipient. */
  readonly copies: ReadonlyMap<string, readonly number[]>;
  /** Who was told that they have left. */
  readonly left: ReadonlySet<string>;
}

/** @param visit asks for a URL of the service, at whichever of its doors is open. @returns the status, 0 without an answer */
export async function startMailboxes(
  chance: Chance,
  visit: (method: 'GET' | 'POST', url: URL) => Promise<number>,
): Promise<Mailboxes> {
  const copies = new Map<string, number[]>();
  const left = new Set<string>();
  const fates = new Map<string, 'taken' | 'put off' | 'refused'>();
  const visits = new Set<Promise<void>>();

  const recipient = (address: string) => {
    const fate = fates.get(address);
    if (fate === undefined) {
      const thrown = chance();
      fates.set(address, thrown < refused ? 'refused' : 'taken');
      if (thrown < refused) return answers.never;
      return thrown < refused + putOff ? answers.later : answers.ok;
    }
    return fate === 'refused' ? answers.never : answers.ok;
  };
  const leave = async (address: string, url: URL) => {
    if ((await visit('POST', url)) === 200) left.add(address);
  };
  const message = async ({ recipients: [address = ''], content }: ReceivedMail) => {
    if (chance() < late) await pause(between(chance, 300, 1000));
    copies.set(address, [...(copies.get(address) ?? []), performance.now()]);
    const text = content.toString('latin1').replaceAll('=\r\n', '').replaceAll('=3D', '=');
    const pixel = /<img[^>]+src="(http[^"]+)"/.exec(text)?.[1];
    const unsubscribe = /^List-Unsubscribe:[^<]*(?:<mailto:[^>]*>,\s*)?<(http[^>]+)>/im.exec(text)?.[1];
    const acts = [
      pixel !== undefined && chance() < opens && visit('GET', new URL(pixel)).then(() => undefined),
      unsubscribe !== undefined && chance() < leaves && leave(address, new URL(unsubscribe)),
    ];
    for (const act of acts) {
      if (act === false) continue;
      visits.add(act);
      void act.finally(() => visits.delete(act));
    }
    return answers.ok;
  };
  const listener = await startSmtpListener({
    listen: { host: '127.0.0.1', port: 0 },
    service: {
      hostname: 'mailboxes.test',
      limits: { messageBytes: 2 ** 20, recipients: 1 },
      open: () => ({ sender: () => answers.ok, recipient, message }),
    },
    bounds: { connections: 1000, connectionsOfAddress: 1000, memoryBytes: 2 ** 28 },
    secureContext: undefined,
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
  return {
    port: listener.port,
    copies,
    left,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await Promise.all(visits);
    },
  };
}
