/** What an open or a click becomes in the log: the same in both stores, whatever statements write it. */
import type { Report, VisitReport } from '../contract/log.ts';

/** What a message knows of its visits so far: 0 or 1. */
export interface VisitedBefore {
  readonly opened: number;
  readonly clicked: number;
}

export const isVisit = (report: Report): report is VisitReport =>
  report.type === 'opened' || report.type === 'clicked';

/** The first of its type that no machine made: what machines do before says nothing of a reader. */
export const isFirst = ({ type, visitor }: VisitReport, before: VisitedBefore): boolean =>
  visitor.kind !== 'machine' && before[type] === 0;

export function visitEvent(report: VisitReport, first: boolean) {
  const { type, atMs, userAgent, address, count } = report;
  const { kind: visitor, confidence, reason } = report.visitor;
  const detail = {
    userAgent,
    address,
    first,
    visitor,
    confidence,
    reason,
    ...(count !== undefined && { count }),
  };
  return { type, atMs, url: report.type === 'clicked' ? report.url : '', visitor, detail };
}
