/** What an answer means for the batch that it answers: pure, so that a test can ask it anything. */
import type { PostResult } from './post.ts';

/**
 * `taken`: any 2xx. `content`: the answer speaks of what is in the request. `gone`: the endpoint is not wanted any more.
 * `refused`: another answer; `unanswered`: none.
 */
export type Verdict = 'taken' | 'content' | 'gone' | 'refused' | 'unanswered';

const contentStatuses: ReadonlySet<number> = new Set([400, 413, 415, 422]);

export function verdictOf(result: Exclude<PostResult, { kind: 'aborted' }>): Verdict {
  if (result.kind === 'unanswered') return 'unanswered';
  if (result.status >= 200 && result.status < 300) return 'taken';
  if (result.status === 410) return 'gone';
  return contentStatuses.has(result.status) ? 'content' : 'refused';
}

/** Whether an answer says in so many words that a later request may be taken. */
export const asksToWait = (result: PostResult): boolean =>
  result.kind === 'answered' && (result.status === 429 || result.retryAfter !== '');

/** What a receiver may list in `retry`; an answer that lists more is not read further. */
const maxAskedAgain = 10_000;

/** The events of the batch that the answer asks for again (`{"retry": [ids]}`), in the order of the batch. */
export function askedAgain(body: Buffer, items: readonly { readonly id: number }[]): number[] {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    return [];
  }
  const retry = (answer as { retry?: unknown } | null)?.retry;
  if (!Array.isArray(retry)) return [];
  const asked = new Set(retry.slice(0, maxAskedAgain).map(String));
  return items.map(({ id }) => id).filter((id) => asked.has(`${id}`));
}
