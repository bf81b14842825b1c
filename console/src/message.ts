/** Messages, attempts and events as the API tells of them. */

export interface Message {
  readonly id: number;
  readonly state: string;
  readonly recipient: string;
  readonly sender: string;
  readonly sender_name: string;
  readonly subject: string;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly door: string;
  readonly internet_message_id: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly stream: string;
  readonly track: { readonly opens: boolean; readonly clicks: boolean };
  readonly template_id: number | null;
  readonly template_version: number | null;
  readonly size_bytes: number;
}

export interface Answer {
  readonly code: string;
  readonly enhanced_code: string;
  readonly text: string;
}

export interface Attempt {
  readonly number: number;
  readonly started_at: string;
  readonly duration_ms: number;
  readonly outcome: string;
  readonly host: string;
  readonly address: string;
  readonly tls: string;
  readonly answer: Answer;
  readonly dialogue: string;
}

export interface MessageEvent {
  readonly id: number;
  readonly type: string;
  readonly time: string;
  readonly message_id: number;
  readonly recipient: string;
  readonly subject: string;
  readonly tags: readonly string[];
  readonly answer: Answer | null;
  readonly url: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export interface Story extends Message {
  readonly attempts: readonly Attempt[];
  readonly events: readonly MessageEvent[];
}

export const answerText = ({ code, enhanced_code: enhanced, text }: Answer): string =>
  [code, enhanced, text].filter((part) => part !== '').join(' ');
