/** Two versions of a template beside one another: what stands in one and not in the other, as signs and not by colour alone. */
import './difference.css';
import { useState } from 'preact/hooks';
import { get } from '../../api.ts';
import type { Fold, Line } from '../../difference.ts';
import { useWords } from '../../language.ts';
import { lazily } from '../../lazily.ts';
import { useLoaded } from '../../loading.ts';
import { Show } from '../../parts/notices.tsx';
import type { WholeTemplateVersion } from '../../template.ts';

/** One part of a template in which the two differ. */
interface PartDifference {
  readonly part: 'name' | 'from_email' | 'from_name' | 'subject' | 'html' | 'text';
  readonly lines: readonly (Line | Fold)[];
}

const parts = ['name', 'from_email', 'from_name', 'subject', 'html', 'text'] as const;

export function Difference(props: { readonly path: string; readonly from: number; readonly to: number }) {
  const { templates } = useWords();
  const { path, from, to } = props;
  const loaded = useLoaded<readonly PartDifference[]>(`${path}/${from} ${to}`, 0, async () => {
    const [before, after, { differenceOf, folded }] = await Promise.all([
      get<WholeTemplateVersion>(`${path}/${from}`),
      get<WholeTemplateVersion>(`${path}/${to}`),
      lazily(() => import('../../difference.ts')),
    ]);
    return parts
      .filter((part) => before[part] !== after[part])
      .map((part) => ({ part, lines: folded(differenceOf(before[part] ?? '', after[part] ?? '')) }));
  });
  const names: Readonly<Record<PartDifference['part'], string>> = {
    name: templates.name,
    from_email: templates.from,
    from_name: templates.fromName,
    subject: templates.subject,
    html: 'HTML',
    text: templates.text,
  };
  return (
    <Show of={loaded} lines={4}>
      {(differences) =>
        differences.length === 0 ? (
          <p class="soft">{templates.same}</p>
        ) : (
          <>
            {differences.map(({ part, lines }) => (
              <section key={`${from} ${to} ${part}`} class="stack tight" aria-label={names[part]}>
                <h3>{names[part]}</h3>
                <div class="difference" tabIndex={0}>
                  {lines.map((line, index) => (
                    <LineView key={index} line={line} />
                  ))}
                </div>
              </section>
            ))}
          </>
        )
      }
    </Show>
  );
}

const signs = { same: ' ', gone: '−', new: '+' } as const;

function LineView({ line }: { readonly line: Line | Fold }) {
  if (line.kind === 'fold') return <FoldView fold={line} />;
  const text = line.parts.map(({ text, marked }, index) =>
    marked ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
  );
  const content = line.kind === 'gone' ? <del>{text}</del> : line.kind === 'new' ? <ins>{text}</ins> : text;
  return (
    <div class={`line ${line.kind}`}>
      <span class="sign" aria-hidden="true">
        {signs[line.kind]}
      </span>
      {content}
    </div>
  );
}

function FoldView({ fold }: { readonly fold: Fold }) {
  const { templates } = useWords();
  const [open, setOpen] = useState(false);
  if (open) {
    return (
      <>
        {fold.lines.map((line, index) => (
          <LineView key={index} line={line} />
        ))}
      </>
    );
  }
  return (
    <button type="button" class="plain fold" onClick={() => setOpen(true)}>
      {templates.sameLines(fold.lines.length)}
    </button>
  );
}
