/** The native shape of an event and of a digest, which two dialects write: bare, and in CloudEvents' envelope. */
import { nativeNames } from '../../../events/native-names.ts';
import type { LoggedEvent } from '../../../events/types.ts';
import type { Digest, Place } from './dialect.ts';
import { jsonText } from './json-text.ts';

export const isoTime = (ms: number): string => new Date(ms).toISOString();

export function nativeEvent(event: LoggedEvent, { webhookId, number, replayId }: Place): string {
  const answer =
    event.code === ''
      ? 'null'
      : `{"code":${jsonText(event.code)},"enhanced_code":${jsonText(event.enhancedCode)},"text":${jsonText(event.response)}}`;
  const place =
    replayId === 0
      ? `{"id":${webhookId},"number":${number},"replay":null}`
      : `{"id":${webhookId},"number":null,"replay":{"id":${replayId},"number":${number}}}`;
  return (
    `{"id":${event.id},"type":"${event.type}","time":"${isoTime(event.timeMs)}","account":${event.accountId}` +
    `,"number":${event.number},"webhook":${place},"message":{"id":${event.messageId},"recipient":${jsonText(event.recipient)}` +
    `,"sender":${jsonText(event.sender)},"subject":${jsonText(event.subject)},"tags":${event.tagsJson},"metadata":${event.metadataJson}}` +
    `,"answer":${answer},"url":${event.url === '' ? 'null' : jsonText(event.url)},"detail":${detail(event.detailJson)}}`
  );
}

function detail(json: string): string {
  const told = nativeNames(JSON.parse(json) as Record<string, unknown>);
  return JSON.stringify(told).toWellFormed();
}

export function nativeDigest(digest: Digest): string {
  return JSON.stringify({
    id: digest.id,
    type: 'digest',
    account: digest.accountId,
    webhook: digest.webhookId,
    from: isoTime(digest.sinceMs),
    to: isoTime(digest.untilMs),
    counts: digest.counts,
    first_number: digest.firstNumber === 0 ? null : digest.firstNumber,
    last_number: digest.lastNumber === 0 ? null : digest.lastNumber,
    set_aside: digest.setAside,
    hash: digest.hash,
  });
}
