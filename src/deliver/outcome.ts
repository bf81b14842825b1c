/** What an attempt's end means for its message: delivered, tried again, or bounced. Pure. */
import type { ServerAnswer } from '../events/types.ts';
import type { AttemptRecord, ClaimedMessage, Settlement } from '../store/contract/queue.ts';
import type { AttemptEnd } from './attempt.ts';
import { AttemptError } from './attempt-error.ts';
import { classify } from './classify.ts';
import { nextAttemptAtMs, type RetrySettings } from './retry.ts';

export function settlementOf(
  message: ClaimedMessage,
  { trace, result }: AttemptEnd,
  { nowMs, unit, retry }: { nowMs: number; unit: number; retry: RetrySettings },
): Settlement {
  const { messageId, lease } = message;
  const attempt = message.attemptsMade + 1;
  const { host, address } = trace;
  const record = (
    outcome: AttemptRecord['outcome'],
    answer: ServerAnswer,
    category: string,
  ): AttemptRecord => ({
    number: attempt,
    startedAtMs: trace.startedAtMs,
    durationMs: nowMs - trace.startedAtMs,
    outcome,
    host,
    address,
    sourceAddress: trace.sourceAddress,
    tls: trace.tls,
    answer,
    category,
    dialogue: trace.dialogue,
  });
  const held = { messageId, lease, atMs: nowMs };

  if (!(result instanceof AttemptError)) {
    const { code, enhancedCode, text } = result;
    const answer = { code, enhancedCode, text };
    const detail = { attempt, host, address };
    return { ...held, outcome: 'delivered', answer, attempt: record('delivered', answer, ''), detail };
  }

  const { stage, answered, answer } = result;
  const { category, recipientAtFault } = classify(answer, stage);
  const where = { attempt, host, address, stage };
  const next = result.permanent
    ? 'never'
    : nextAttemptAtMs({ attempt, acceptedAtMs: message.acceptedAtMs, nowMs, unit }, retry);
  if (typeof next === 'number') {
    const refused = answered && stage !== 'tls' && stage !== 'auth';
    const detail = { ...where, category, refused, nextAttemptAtMs: next };
    return { ...held, outcome: 'deferred', answer, attempt: record('deferred', answer, category), detail };
  }
  const final = next === 'expired' ? expiredAnswer(result, retry.totalMs) : answer;
  const detail = {
    ...where,
    category: next === 'expired' ? 'expired' : category,
    recipientAtFault: next === 'never' && recipientAtFault,
    late: false,
  };
  return {
    ...held,
    outcome: 'bounced',
    answer: final,
    attempt: record('bounced', answer, category),
    detail,
  };
}

/**
 * A message that expired is told in our own words (contract: code 554), which repeat the last answer. Its enhanced
 * code says what stood in the way at last.
 */
function expiredAnswer({ stage, answered, answer }: AttemptError, totalMs: number): ServerAnswer {
  const enhancedCode =
    !answered && stage === 'dns' ? '5.4.4' : !answered && stage === 'connect' ? '5.4.1' : '5.4.7';
  const last = answered
    ? [answer.code, answer.enhancedCode, answer.text]
    : [answer.text.replace(/^Aftersend: /, '')];
  const said = last.filter((part) => part !== '').join(' ');
  return {
    code: '554',
    enhancedCode,
    text: `Aftersend: not delivered within ${duration(totalMs)}, at last: ${said}`,
  };
}

function duration(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [name, unitMs] = units.find(([, unitMs]) => ms >= unitMs) ?? ['millisecond', 1];
  const count = Math.round((ms / unitMs) * 10) / 10;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
