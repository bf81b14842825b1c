/** SMTP: where to submit, the logins, and the same settings as code for what people use. */
import { useState } from 'preact/hooks';
import { call, post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction, useLoaded } from '../../loading.ts';
import { type Pages, usePages } from '../../paging.ts';
import { Code, Secret } from '../../parts/copying.tsx';
import { faultOf, Field } from '../../parts/fields.tsx';
import { Listing, useConfirmed } from '../../parts/listing.tsx';
import { Failure, Show } from '../../parts/notices.tsx';
import { Card, Segments } from '../../parts/page.tsx';
import { useMayChange } from '../../session.ts';
import { type ExampleName, exampleNames, examples } from './examples.ts';
import { CredentialBadge } from './tokens.tsx';

interface Login {
  readonly username: string;
  readonly revoked_at: string | null;
}

interface SmtpAccess {
  readonly host: string;
  readonly port: number;
}

export function SmtpLogins() {
  const { settings } = useWords();
  const mayChange = useMayChange();
  const loaded = useLoaded<SmtpAccess>('/api/smtp-logins?limit=1');
  const pages = usePages<'logins', Login>('/api/smtp-logins', 'logins');
  return (
    <Card title={settings.smtp} lead={settings.smtpLead}>
      <Show of={loaded}>
        {(access) => (
          <>
            <dl class="facts">
              <dt>{settings.host}</dt>
              <dd>
                <code>{access.host}</code>
              </dd>
              <dt>{settings.port}</dt>
              <dd>
                <code>{access.port}</code>
              </dd>
              <dt>{settings.security}</dt>
              <dd>STARTTLS</dd>
            </dl>
            <Logins pages={pages} />
            {mayChange && <NewLogin onMade={pages.reload} />}
            <Examples access={access} logins={pages.data ?? []} />
          </>
        )}
      </Show>
    </Card>
  );
}

function Logins({ pages }: { readonly pages: Pages<Login> }) {
  const { settings, actions } = useWords();
  const mayChange = useMayChange();
  const revoke = useConfirmed<Login>(
    ({ username }) => ({
      title: settings.loginRevoke(username),
      text: settings.tokenRevokeMore,
      action: actions.revoke,
    }),
    async ({ username }) => {
      await call('DELETE', `/api/smtp-logins/${encodeURIComponent(username)}`);
      pages.reload();
    },
  );
  return (
    <>
      {revoke.view}
      <Listing
        of={pages}
        keyOf={({ username }) => username}
        empty={<p class="soft small">{settings.noLogins}</p>}
        columns={[
          { title: settings.username, look: 'break', cell: ({ username }) => <code>{username}</code> },
          { title: settings.state, cell: (login) => <CredentialBadge of={login} /> },
          {
            title: undefined,
            cell: (login) =>
              login.revoked_at === null &&
              mayChange && (
                <button type="button" class="tiny" onClick={() => revoke.ask(login)}>
                  {actions.revoke}
                </button>
              ),
          },
        ]}
      />
    </>
  );
}

function NewLogin({ onMade }: { readonly onMade: () => void }) {
  const { settings, actions } = useWords();
  const [username, setUsername] = useState('');
  const [made, setMade] = useState<{ username: string; password: string } | undefined>();
  const { run, running, error } = useAction(async () => {
    setMade(await post('/api/smtp-logins', { username }));
    setUsername('');
    onMade();
  });
  return (
    <form
      class="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <div class="row" style={{ alignItems: 'flex-end' }}>
        <div class="grow">
          <Field
            label={settings.usernameNew}
            required
            maxLength={63}
            placeholder="shop-site"
            value={username}
            onValue={setUsername}
            fault={faultOf(error, 'username')}
          />
        </div>
        <button type="submit" disabled={running}>
          {actions.create}
        </button>
      </div>
      {faultOf(error, 'username') === undefined && <Failure error={error} />}
      {made !== undefined && (
        <Secret label={`${made.username}: ${settings.passwordShown}`} value={made.password} />
      )}
    </form>
  );
}

function Examples({ access, logins }: { readonly access: SmtpAccess; readonly logins: readonly Login[] }) {
  const { settings } = useWords();
  const [name, setName] = useState<ExampleName>('nodemailer');
  const username = logins.find((login) => login.revoked_at === null)?.username ?? 'USERNAME';
  return (
    <div class="stack tight">
      <h3>{settings.examples}</h3>
      <p class="small soft">{settings.examplesLead}</p>
      <div>
        <Segments
          label={settings.examples}
          value={name}
          options={exampleNames.map((example) => [example, example] as const)}
          onValue={setName}
        />
      </div>
      <Code text={examples[name]({ ...access, username, url: location.origin })} />
    </div>
  );
}
