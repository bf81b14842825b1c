/** A message's state as a sign. */
import { useWords } from '../language.ts';
import { Badge, type Tone } from './page.tsx';

const tones: Readonly<Record<string, Tone>> = {
  queued: 'note',
  delivered: 'good',
  bounced: 'bad',
  skipped: 'warn',
};

export function StateBadge({ state }: { readonly state: string }) {
  const { messages } = useWords();
  return <Badge tone={tones[state] ?? 'calm'}>{messages.states[state] ?? state}</Badge>;
}
