/** Classifies what a report says of a recipient. The classification itself belongs to delivery and is handed in. */
import type { AttemptStage, ServerAnswer } from '../events/types.ts';
import type { ReportedRecipient } from './read-report.ts';

export type Classify = (
  answer: ServerAnswer,
  stage: AttemptStage,
) => { readonly category: string; readonly recipientAtFault: boolean };

/** By the server's words, and by all that the reporter wrote where those tell nothing. */
export function judge(
  { answer, stage, reason, context }: ReportedRecipient,
  classify: Classify,
): ReturnType<Classify> {
  const byAnswer = classify({ ...answer, text: reason }, stage);
  return byAnswer.category === 'unknown' ? classify({ ...answer, text: context }, stage) : byAnswer;
}
