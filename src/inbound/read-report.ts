/**
 * What a piece of mail that came back tells: a bounce, a complaint, or nothing that ends a message. Pure; reads what the
 * report says and never which message it is about, because anybody can write a report about any message.
 */
import type { ServerAnswer } from '../events/types.ts';
import { headerValue, readHeaders } from '../mail/header-fields.ts';
import { type FieldBlock, reportBlocks } from './report-parts.ts';

export type MailMeaning =
  | { readonly kind: 'bounce'; readonly answer: ServerAnswer; readonly host: string }
  | { readonly kind: 'complaint'; readonly feedbackType: string }
  /** Delivered, delayed, relayed or expanded: no bounce. */
  | { readonly kind: 'notice' }
  | { readonly kind: 'auto-reply' }
  | { readonly kind: 'other' };

const longestTextChars = 1000;
const deliveryStatus = /^message\/(?:global-)?delivery-status$/;
const feedbackReport = /^message\/feedback-report$/;
/** RFC 5965 section 7.3 and its registry; the others say that mail is no spam or that it was not authenticated. */
const complaintTypes: ReadonlySet<string> = new Set(['abuse', 'fraud', 'virus', 'other']);

export function readReport(raw: Buffer): MailMeaning {
  const feedback = reportBlocks(raw, feedbackReport).find((block) => block.has('feedback-type'));
  if (feedback !== undefined) {
    const feedbackType = feedback.get('feedback-type')?.toLowerCase().slice(0, 64) ?? '';
    return complaintTypes.has(feedbackType) ? { kind: 'complaint', feedbackType } : { kind: 'notice' };
  }
  const statuses = reportBlocks(raw, deliveryStatus);
  const recipients = statuses.filter((block) => block.has('action'));
  const failed = recipients.find((block) => /^failed\b/i.test(block.get('action') ?? ''));
  if (failed !== undefined) return bounceOf(failed, statuses[0] ?? failed);
  if (recipients.length > 0) return { kind: 'notice' };
  return { kind: isAutoReply(raw) ? 'auto-reply' : 'other' };
}

/** RFC 3834 section 5. */
function isAutoReply(raw: Buffer): boolean {
  const submitted = headerValue(raw, readHeaders(raw), 'auto-submitted');
  return submitted !== undefined && /^auto-replied\b/i.test(submitted);
}

/** A reply code at the beginning, or somewhere in a reporter's own sentence; a number of minutes has no word after it. */
const codePattern = /(?:^|[\s(:>])([45]\d\d)(?:$|[ -](?=['"<:\w#-]))/;
const enhancedPattern = /\b([245]\.\d{1,3}\.\d{1,3})\b/;

/** @param message the report's first block, of fields for all of its recipients (RFC 3464 section 2.2) */
function bounceOf(recipient: FieldBlock, message: FieldBlock): MailMeaning {
  const diagnostic = (recipient.get('diagnostic-code') ?? '').replace(/^\s*[a-z0-9-]+\s*;\s*/i, '').trim();
  const status = enhancedPattern.exec(recipient.get('status') ?? '')?.[1];
  // The server's own words are nearer to what happened than the reporter's summary; a bare class says nothing.
  const said = enhancedPattern.exec(diagnostic)?.[1];
  const enhancedCode = (status === undefined || status.endsWith('.0.0') ? (said ?? status) : status) ?? '';
  const code = codePattern.exec(diagnostic)?.[1];
  const text = textOf(diagnostic);
  return {
    kind: 'bounce',
    answer: {
      // 554 is what stands for an answer that no server gave.
      code: code?.startsWith('5') === true ? code : '554',
      enhancedCode,
      text: text === '' ? 'Aftersend: a bounce message came back without the reason' : text,
    },
    host: hostOf(recipient.get('remote-mta') ?? message.get('reporting-mta') ?? ''),
  };
}

/** Without the codes before it, which stand in fields of their own. */
function textOf(diagnostic: string): string {
  return diagnostic
    .replace(/^[245]\d\d[ -]+(?:#?[245]\.\d{1,3}\.\d{1,3}\s+)?[:\s]*/, '')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, longestTextChars);
}

/** `dns; mx.example.com (192.0.2.1)` names a host in the middle. */
function hostOf(value: string): string {
  const host =
    value
      .replace(/^\s*[a-z0-9-]+\s*;\s*/i, '')
      .trim()
      .split(/\s/)[0] ?? '';
  return host.replaceAll(/[^\w.:[\]-]/g, '').slice(0, 255);
}
