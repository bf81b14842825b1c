/**
 * Reports from outside that changed nothing, for a person to look at: those without a token, and those that end nothing
 * (delayed, relayed, expanded). Nobody is suppressed by what stands here.
 */
import { type Static, Type } from '@fastify/type-provider-typebox';
import type { AccountStore } from '../../store/contract/accounts.ts';
import type { ReceivedReport, ReportStore } from '../../store/contract/reports.ts';
import type { App } from '../app.ts';
import { closed, Id, isoTime, NextCursor, nullable, page, PageQuery, Time } from './shapes.ts';

const ReportShape = Type.Object({
  id: Id,
  time: Time,
  kind: Type.Enum(['bounce', 'complaint', 'other']),
  message_id: Type.Union([Id, Type.Null()], {
    description: 'Null without a token of ours: then nobody can know which message it is about',
  }),
  action: Type.String({ description: 'Of a bounce message: failed, delayed, relayed, expanded, delivered' }),
  recipient: Type.String({ description: 'As the report names it' }),
  feedback_type: Type.String(),
  category: Type.String(),
  answer: nullable(Type.Object({ code: Type.String(), enhanced_code: Type.String(), text: Type.String() })),
  reporter: Type.String(),
  subject: Type.String(),
});

export interface ReportDependencies {
  readonly reports: Pick<ReportStore, 'list'>;
  readonly accounts: Pick<AccountStore, 'list'>;
}

export function reportRoutes(app: App, { reports, accounts }: ReportDependencies): void {
  app.get(
    '/api/reports',
    {
      schema: {
        operationId: 'listReports',
        tags: ['reports'],
        summary: 'List reports that changed nothing, newest first',
        description:
          'Bounce messages and complaints without a token of ours, and those that end nothing. A report without a token is ' +
          'shown to the account that it says it is about, and to the first account (the operator’s) if it says nothing.',
        querystring: closed({ message_id: Type.Optional(Id), ...PageQuery }),
        response: { 200: Type.Object({ reports: Type.Array(ReportShape), next_cursor: NextCursor }) },
      },
    },
    async ({ query, account }) => {
      const [first] = await accounts.list();
      const { entries, next_cursor } = await page(query, (range) =>
        reports.list({
          accountId: account.id,
          withUnclaimed: first?.id === account.id,
          messageId: query.message_id,
          ...range,
        }),
      );
      return { reports: entries.map(reportShape), next_cursor };
    },
  );
}

export function reportShape(report: ReceivedReport): Static<typeof ReportShape> {
  const { id, atMs, kind, messageId, action, recipient, feedbackType, category, reporter, subject } = report;
  const { code, enhancedCode, text } = report;
  return {
    id,
    time: isoTime(atMs),
    kind,
    message_id: messageId ?? null,
    action,
    recipient,
    feedback_type: feedbackType,
    category,
    answer: kind === 'bounce' ? { code, enhanced_code: enhancedCode, text } : null,
    reporter,
    subject,
  };
}
