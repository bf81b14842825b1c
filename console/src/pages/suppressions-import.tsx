/** Bringing a suppression list along: pasted or as a file, and what became of each line. */
import { useId, useState } from 'preact/hooks';
import { postCsv } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { useAction } from '../loading.ts';
import { Area } from '../parts/fields.tsx';
import { Listing } from '../parts/listing.tsx';
import { Failure } from '../parts/notices.tsx';
import { Card, Page } from '../parts/page.tsx';

/** The API takes no larger file. */
const maxFileBytes = 32 * 2 ** 20;

interface Refusal {
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

interface Imported {
  readonly added: number;
  readonly known: number;
  readonly refused: number;
  readonly refusals: readonly Refusal[];
}

export function SuppressionsImport() {
  const { suppressions } = useWords();
  const [text, setText] = useState('');
  const [file, setFile] = useState<File | undefined>();
  const [imported, setImported] = useState<Imported | undefined>();
  const tooLarge = file !== undefined && file.size > maxFileBytes;
  const { run, running, error } = useAction(async () => {
    setImported(undefined);
    setImported(await postCsv<Imported>('/api/suppressions/csv', file ?? text));
  });
  // A file that is no CSV says so in the words of the API, with the line first.
  const line = /^Line (\d+):/.exec(error?.message ?? '')?.[1];
  return (
    <Page title={suppressions.import} lead={<a href="/suppressions">← {suppressions.back}</a>}>
      <Card title={suppressions.what} lead={suppressions.whatLead}>
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <FileField file={file} onFile={setFile} />
          {file === undefined && (
            <Area
              label={suppressions.paste}
              hint={suppressions.pasteHint}
              rows={8}
              value={text}
              onValue={setText}
            />
          )}
          {tooLarge && <div class="notice bad">{suppressions.tooLarge}</div>}
          <Failure error={error} />
          {line !== undefined && <p class="small">{suppressions.atLine(Number(line))}</p>}
          <div>
            <button
              type="submit"
              class="primary"
              disabled={running || tooLarge || (file === undefined && text.trim() === '')}
            >
              {running ? suppressions.importing : suppressions.importNow}
            </button>
          </div>
        </form>
      </Card>
      {imported !== undefined && <Outcome imported={imported} />}
    </Page>
  );
}

function FileField(props: {
  readonly file: File | undefined;
  readonly onFile: (file: File | undefined) => void;
}) {
  const { suppressions, actions } = useWords();
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{suppressions.file}</label>
      {props.file === undefined ? (
        <input
          id={id}
          type="file"
          accept=".csv,.txt,text/csv,text/plain"
          onChange={(event) => props.onFile(event.currentTarget.files?.[0])}
        />
      ) : (
        <div class="row">
          <output id={id} class="break">
            {props.file.name}
          </output>
          <button type="button" class="tiny" onClick={() => props.onFile(undefined)}>
            {actions.clear}
          </button>
        </div>
      )}
    </div>
  );
}

function Outcome({ imported }: { readonly imported: Imported }) {
  const { words, language } = useSpeech();
  const { suppressions } = words;
  const number = new Intl.NumberFormat(language);
  const { added, known, refused, refusals } = imported;
  return (
    <Card title={suppressions.outcome} flush>
      <div role="status">
        <dl class="facts padded">
          <dt>{suppressions.added}</dt>
          <dd>{number.format(added)}</dd>
          <dt>{suppressions.known}</dt>
          <dd>{number.format(known)}</dd>
          <dt>{suppressions.refused}</dt>
          <dd>{number.format(refused)}</dd>
        </dl>
      </div>
      {refusals.length > 0 && (
        <Listing
          of={{ data: refusals, error: undefined, loading: false, reload: () => {} }}
          keyOf={({ line }) => line}
          empty={null}
          columns={[
            { title: suppressions.line, look: 'number', cell: ({ line }) => number.format(line) },
            {
              title: suppressions.why,
              cell: ({ code, message }) => suppressions.lineFaults[code] ?? message,
            },
          ]}
        />
      )}
      {refused > refusals.length && (
        <p class="small soft padded">{suppressions.firstOnly(refusals.length)}</p>
      )}
    </Card>
  );
}
