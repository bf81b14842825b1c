/** What a receiver answered, as a sign. */
import { useWords } from '../language.ts';
import { Badge } from './page.tsx';

/** @param props.status 0 if no answer came */
export function StatusBadge(props: { readonly status: number }) {
  const { settings } = useWords();
  const good = props.status >= 200 && props.status < 300;
  return (
    <Badge tone={good ? 'good' : 'bad'}>
      {props.status === 0 ? settings.unanswered : settings.answered(props.status)}
    </Badge>
  );
}
