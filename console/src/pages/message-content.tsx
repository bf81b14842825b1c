/** What is in a message: its HTML in a frame that can do nothing, its text, its headers, its source as it was taken in. */
import { useState } from 'preact/hooks';
import { getBeginning } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { useLoaded } from '../loading.ts';
import { Show } from '../parts/notices.tsx';
import { Card, Segments } from '../parts/page.tsx';

interface Content {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | null;
  readonly has_html: boolean;
  readonly attachments: readonly {
    readonly filename: string;
    readonly content_type: string;
    readonly size_bytes: number;
  }[];
}

const parts = ['html', 'text', 'headers', 'source'] as const;
type Part = (typeof parts)[number];

export function MessageContent({ id }: { readonly id: number }) {
  const { words } = useSpeech();
  const { messages } = words;
  const [chosen, choose] = useState<Part | undefined>();
  const loaded = useLoaded<Content>(`/api/messages/${id}/content`);
  const part = chosen ?? (loaded.data?.has_html === false ? 'text' : 'html');
  return (
    <Card
      title={messages.content}
      actions={
        <Segments
          label={messages.content}
          value={part}
          options={parts.map((name) => [name, messages.parts[name]] as const)}
          onValue={choose}
        />
      }
    >
      <Show of={loaded}>
        {(content) => (
          <>
            <PartView id={id} part={part} content={content} />
            {content.attachments.length > 0 && <Attachments content={content} />}
            <div>
              <a class="small" href={`/api/messages/${id}/source`} download={`${id}.eml`}>
                {messages.download}
              </a>
            </div>
          </>
        )}
      </Show>
    </Card>
  );
}

function PartView({
  id,
  part,
  content,
}: {
  readonly id: number;
  readonly part: Part;
  readonly content: Content;
}) {
  const { words } = useSpeech();
  const { messages } = words;
  switch (part) {
    case 'html':
      if (!content.has_html) return <p class="soft">{messages.noHtml}</p>;
      return (
        <iframe
          class="mail-frame"
          title={messages.frame}
          src={`/api/messages/${id}/html`}
          sandbox="allow-popups allow-popups-to-escape-sandbox"
        />
      );
    case 'text':
      if (content.text === null) return <p class="soft">{messages.noText}</p>;
      return (
        <pre class="wrap" tabIndex={0}>
          {content.text}
        </pre>
      );
    case 'source':
      return <Source id={id} />;
    case 'headers':
      return (
        <dl class="facts small">
          {content.headers.map(({ name, value }, index) => (
            <>
              <dt key={`name ${index}`}>{name}</dt>
              <dd key={`value ${index}`}>{value}</dd>
            </>
          ))}
        </dl>
      );
  }
}

/** More of a source is for a file: a page that holds it all would stand still. */
const shownSourceBytes = 256 * 1024;

function Source({ id }: { readonly id: number }) {
  const { messages } = useWords();
  const loaded = useLoaded(`/api/messages/${id}/source`, 0, (path) => getBeginning(path, shownSourceBytes));
  return (
    <Show of={loaded}>
      {({ text, isWhole }) => (
        <>
          <pre class="wrap" tabIndex={0}>
            {text}
          </pre>
          {!isWhole && <p class="small soft">{messages.sourceBeginning}</p>}
        </>
      )}
    </Show>
  );
}

function Attachments({ content }: { readonly content: Content }) {
  const { words, language } = useSpeech();
  const size = new Intl.NumberFormat(language, { style: 'unit', unit: 'kilobyte', maximumFractionDigits: 0 });
  return (
    <div class="stack tight">
      <h3>{words.messages.attachments}</h3>
      <ul class="stack tight small">
        {content.attachments.map(({ filename, content_type: type, size_bytes: bytes }) => (
          <li key={`${filename} ${bytes}`} class="break">
            {filename || type} <span class="soft">{size.format(bytes / 1000)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
