/** One template: written, tried with sample parameters as desktop and phone show it, sent as a test. */
import { useEffect, useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useWords } from '../language.ts';
import { useAction, useLoaded } from '../loading.ts';
import { Area, faultOf, Field } from '../parts/fields.tsx';
import { Failure, Show } from '../parts/notices.tsx';
import { Badge, Card, Confirm, Page, Segments } from '../parts/page.tsx';
import { go } from '../router.ts';
import { useMayChange } from '../session.ts';
import type { Template } from '../template.ts';

/** What is written. */
type Draft = Omit<Template, 'id' | 'version' | 'updated_at'>;

const newTemplate: Draft = {
  name: '',
  from_email: '',
  from_name: '',
  subject: '',
  html: '<p>{{ name }}</p>\n',
  text: null,
};

/** @param props.id `new` for one that is not made yet */
export function TemplatePage({ id }: { readonly id: string }) {
  const { templates } = useWords();
  const isNew = id === 'new';
  const loaded = useLoaded<Template>(isNew ? undefined : `/api/templates/${encodeURIComponent(id)}`);
  const back = <a href="/templates">← {templates.back}</a>;
  if (isNew) {
    return (
      <Page title={templates.add} lead={back}>
        <Editor template={newTemplate} />
      </Page>
    );
  }
  return (
    <Page
      title={loaded.data?.name ?? templates.title}
      lead={back}
      actions={
        loaded.data !== undefined && (
          <a class="button" href={`/templates/${loaded.data.id}/versions`}>
            {templates.versionCount(loaded.data.version)}
          </a>
        )
      }
    >
      <Show of={loaded}>
        {(template) => (
          <>
            <Editor key={template.updated_at} id={template.id} template={template} onSaved={loaded.reload} />
            <Trial template={template} />
          </>
        )}
      </Show>
    </Page>
  );
}

function Editor(props: { readonly id?: number; readonly template: Draft; readonly onSaved?: () => void }) {
  const { templates, actions } = useWords();
  const mayChange = useMayChange();
  const { id, template, onSaved } = props;
  const [draft, setDraft] = useState(template);
  const set = (name: keyof typeof draft) => (value: string) => setDraft({ ...draft, [name]: value });
  const { run, running, error } = useAction(async () => {
    const { name, from_email, from_name, subject, html, text } = draft;
    const body = { name, from_email, from_name, subject, html: html || null, text: text || null };
    if (id === undefined) {
      const made = await post<Template>('/api/templates', body);
      go(`/templates/${made.id}`, { replace: true });
      return;
    }
    await call('PATCH', `/api/templates/${id}`, body);
    onSaved?.();
  });
  return (
    <Card title={templates.content} lead={templates.contentLead}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <div class="search">
          <Field
            label={templates.name}
            required
            maxLength={100}
            value={draft.name}
            onValue={set('name')}
            fault={faultOf(error, 'name')}
          />
          <Field
            label={templates.from}
            type="email"
            value={draft.from_email}
            onValue={set('from_email')}
            fault={faultOf(error, 'from_email')}
          />
          <Field label={templates.fromName} value={draft.from_name} onValue={set('from_name')} />
        </div>
        <Field
          label={templates.subject}
          required
          value={draft.subject}
          onValue={set('subject')}
          fault={faultOf(error, 'subject')}
        />
        <Area
          label="HTML"
          rows={14}
          value={draft.html ?? ''}
          onValue={set('html')}
          fault={faultOf(error, 'html')}
        />
        <Area
          label={templates.text}
          rows={5}
          value={draft.text ?? ''}
          onValue={set('text')}
          fault={faultOf(error, 'text')}
        />
        <Failure error={error} />
        {mayChange && (
          <div class="row">
            <button type="submit" class="primary" disabled={running}>
              {actions.save}
            </button>
            {id !== undefined && <Remove id={id} name={template.name} />}
          </div>
        )}
      </form>
    </Card>
  );
}

function Remove({ id, name }: { readonly id: number; readonly name: string }) {
  const { templates, actions } = useWords();
  const [asking, setAsking] = useState(false);
  const { run, error } = useAction(async () => {
    setAsking(false);
    await call('DELETE', `/api/templates/${id}`);
    go('/templates', { replace: true });
  });
  return (
    <>
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        {actions.remove}
      </button>
      <Failure error={error} />
      {asking && (
        <Confirm
          title={templates.remove(name)}
          text={templates.removeMore}
          action={actions.remove}
          onYes={() => void run()}
          onNo={() => setAsking(false)}
        />
      )}
    </>
  );
}

interface Preview {
  /** What it was made with, as JSON. */
  readonly params: string;
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
}

/** Names that the template asks for, as an object to fill in. */
function sampleParams({ subject, html, text }: Template): string {
  const names = [...`${subject} ${html ?? ''} ${text ?? ''}`.matchAll(/\{\{-?\s*([A-Za-z_]\w*)/g)];
  return JSON.stringify(Object.fromEntries(names.map(([, name = '']) => [name, name])), null, 2);
}

function Trial({ template }: { readonly template: Template }) {
  const { templates } = useWords();
  const mayChange = useMayChange();
  const [params, setParams] = useState(() => sampleParams(template));
  const [preview, setPreview] = useState<Preview | undefined>();
  const [device, setDevice] = useState<'desktop' | 'phone'>('desktop');
  const [sentId, setSentId] = useState<number | undefined>();
  const parsed = () => JSON.parse(params === '' ? '{}' : params) as object;
  const show = useAction(async () => {
    const given = parsed();
    const shown = await post<Preview>(`/api/templates/${template.id}/preview`, { params: given });
    setPreview({ ...shown, params: JSON.stringify(given) });
  });
  const { run: showNow } = show;
  const [to, setTo] = useState('opened@simulator.test');
  const send = useAction(async () => {
    const { messages } = await post<{ messages: readonly { id: number }[] }>('/api/messages', {
      ...(template.from_email === '' && { from: 'test@example.com' }),
      to: [to],
      template: { id: template.id, params: parsed() },
    });
    setSentId(messages[0]?.id);
  });
  useEffect(() => void showNow(), [template.updated_at]);
  return (
    <Card
      title={templates.preview}
      actions={
        <Segments
          label={templates.device}
          value={device}
          options={[
            ['desktop', templates.desktop],
            ['phone', templates.phone],
          ]}
          onValue={setDevice}
        />
      }
    >
      <Area label={templates.params} rows={5} value={params} onValue={setParams} />
      {mayChange && (
        <div>
          <button type="button" disabled={show.running} onClick={() => void show.run()}>
            {templates.show}
          </button>
        </div>
      )}
      <Failure error={show.error} />
      {preview !== undefined && (
        <div class="stack tight">
          <h3>{preview.subject}</h3>
          {preview.html === null ? (
            <pre class="wrap" tabIndex={0}>
              {preview.text}
            </pre>
          ) : (
            <iframe
              class={`mail-frame ${device}`}
              title={templates.preview}
              sandbox=""
              src={`/api/templates/${template.id}/page?params=${encodeURIComponent(preview.params)}`}
            />
          )}
        </div>
      )}
      {mayChange && (
        <form
          class="search"
          onSubmit={(event) => {
            event.preventDefault();
            void send.run();
          }}
        >
          <Field label={templates.sendTo} type="email" required value={to} onValue={setTo} />
          <button type="submit" disabled={send.running}>
            {templates.send}
          </button>
          {sentId !== undefined && (
            <a href={`/messages/${sentId}`}>
              <Badge tone="good">{templates.sent}</Badge>
            </a>
          )}
        </form>
      )}
      <Failure error={send.error} />
    </Card>
  );
}
