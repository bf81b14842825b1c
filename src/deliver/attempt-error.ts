/**
 * Why an attempt ended without delivery: in which stage, with whose answer, and whether trying again can help.
 * What stands in `answer` is for users to read; the cause stays inside.
 */
import type { AttemptStage, ServerAnswer } from '../events/types.ts';

export class AttemptError extends Error {
  override readonly name = 'AttemptError';
  readonly stage: AttemptStage;
  /** The server's own answer, or one of ours whose text begins with `Aftersend:`. */
  readonly answer: ServerAnswer;
  /** True if a server said `answer`. */
  readonly answered: boolean;
  /** Trying again cannot help. */
  readonly permanent: boolean;

  private constructor(
    { stage, answer, answered, permanent }: Pick<AttemptError, 'stage' | 'answer' | 'answered' | 'permanent'>,
    cause?: unknown,
  ) {
    super(`${stage}: ${answer.code} ${answer.enhancedCode} ${answer.text}`, { cause });
    this.stage = stage;
    this.answer = answer;
    this.answered = answered;
    this.permanent = permanent;
  }

  /**
   * The server said no. A 5xx is for good only where it is about the message: a server that refuses to talk at all
   * (greeting, EHLO, STARTTLS, AUTH) may be one of several, or wrongly set up for an hour.
   */
  static refused(stage: AttemptStage, answer: ServerAnswer): AttemptError {
    const aboutMessage = stage === 'mail' || stage === 'rcpt' || stage === 'data';
    return new AttemptError({
      stage,
      answer,
      answered: true,
      permanent: aboutMessage && answer.code.startsWith('5'),
    });
  }

  /** Nobody answered; it may be better later. */
  static unanswered(stage: AttemptStage, text: string, cause?: unknown): AttemptError {
    const enhancedCode =
      { dns: '4.4.4', connect: '4.4.1', tls: '4.7.5', queue: '4.3.0' }[stage as string] ?? '4.4.2';
    const answer = { code: '451', enhancedCode, text: `Aftersend: ${text}` };
    return new AttemptError({ stage, answer, answered: false, permanent: false }, cause);
  }

  /** Nobody needs to be asked: this message can never go there. */
  static impossible(stage: AttemptStage, enhancedCode: string, text: string): AttemptError {
    const answer = { code: '554', enhancedCode, text: `Aftersend: ${text}` };
    return new AttemptError({ stage, answer, answered: false, permanent: true });
  }
}
