/** `aftersend report list`: what came back and changed nothing, of all accounts, for the operator to look at. */
import type { Command } from './account-commands.ts';

/** The API has the rest. */
const newest = 100;

export const reportCommands: Readonly<Record<string, Command>> = {
  'report list': {
    words: [],
    async run(store) {
      const reports = await store.reports.list({ accountId: undefined, withUnclaimed: true, limit: newest });
      return {
        json: reports.map(({ atMs, accountId, messageId, ...report }) => ({
          ...report,
          time: new Date(atMs).toISOString(),
          account_id: accountId ?? null,
          message_id: messageId ?? null,
        })),
        lines: reports.map(({ atMs, kind, action, messageId, recipient, category, subject }) =>
          [
            new Date(atMs).toISOString(),
            action === '' ? kind : action,
            messageId === undefined ? 'no token' : `message ${messageId}`,
            recipient || '-',
            category || '-',
            subject,
          ].join('\t'),
        ),
      };
    },
  },
};
