/**
 * Mails notices to the owners of accounts through the service itself: accepted, queued and delivered as any mail. A
 * notice that is mailed twice by a crash in between is one message: its number is the idempotency key.
 */
import type { Logger } from 'pino';
import { type Accept, noOptions, RefusedError } from '../accept/draft.ts';
import type { Clock } from '../platform/clock.ts';
import type { AccountStore } from '../store/contract/accounts.ts';
import type { NoticeKind } from '../store/contract/webhook-progress.ts';
import type { Notice, WebhookStore } from '../store/contract/webhooks.ts';

/** Notices are rare and speak of hours: a minute's delay is nothing. */
const roundEveryMs = 60_000;
const noticesARound = 100;

export interface MailerDependencies {
  readonly webhooks: Pick<WebhookStore, 'unmailedNotices' | 'markMailed'>;
  readonly accounts: Pick<AccountStore, 'byId'>;
  readonly accept: Accept;
  /** AFTERSEND_NOTICE_FROM */
  readonly from: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const subjects: Readonly<Record<NoticeKind, string>> = {
  failing: 'A webhook of yours is failing',
  paused: 'A webhook of yours was switched off',
  expiring: 'Events go before your webhook has had them',
};

/** Mails what is to be mailed. What cannot be accepted now is tried again in the next round. */
export async function mailNotices(dependencies: MailerDependencies): Promise<void> {
  const { webhooks, logger } = dependencies;
  const notices = await webhooks.unmailedNotices(noticesARound);
  const done: number[] = [];
  for (const notice of notices) {
    try {
      await mail(notice, dependencies);
      done.push(notice.id);
    } catch (error) {
      logger.warn({ notice: notice.id, err: error }, 'a notice could not be mailed');
      // The draft is at fault and will be tomorrow.
      if (error instanceof RefusedError) done.push(notice.id);
    }
  }
  if (done.length > 0) await webhooks.markMailed(done);
}

/** Customers say theirs in a header, whose value has no line break: none of them is one of these. */
const keyOf = ({ id }: Notice): string => `notice\n${id}`;

async function mail(
  notice: Notice & { readonly accountId: number },
  { accounts, accept, from }: MailerDependencies,
): Promise<void> {
  const account = await accounts.byId(notice.accountId);
  if (account === undefined || account.email === '') return;
  const address = account.email;
  await accept({
    account,
    door: 'api',
    envelopeSender: '',
    recipients: [{ address, role: 'to' }],
    mail: {
      content: {
        from: { address: from, name: 'Aftersend' },
        replyTo: [],
        to: [{ address, name: '' }],
        cc: [],
        subject: subjects[notice.kind],
        text: `${notice.text}\n`,
        html: undefined,
        headers: { 'Auto-Submitted': 'auto-generated' },
        attachments: [],
      },
    },
    options: {
      ...noOptions,
      stream: 'aftersend-notices',
      essential: true,
      trackOpens: false,
      trackClicks: false,
      listUnsubscribe: false,
    },
    template: undefined,
    idempotency: { key: keyOf(notice), fingerprint: `${notice.id}` },
  });
}

export function startNoticeMailer(dependencies: MailerDependencies): AsyncDisposable {
  const stop = new AbortController();
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        await mailNotices(dependencies);
      } catch (error) {
        dependencies.logger.error({ err: error }, 'notices were not mailed, tried again in the next round');
      }
      await dependencies.clock.sleep(roundEveryMs, stop.signal);
    }
  };
  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
