/** API tokens: made for a purpose, shown once, revoked for good. */
import { useState } from 'preact/hooks';
import { call, post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction } from '../../loading.ts';
import { type Pages, usePages } from '../../paging.ts';
import { Secret } from '../../parts/copying.tsx';
import { Field } from '../../parts/fields.tsx';
import { Listing, useConfirmed } from '../../parts/listing.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Badge, Card, Time } from '../../parts/page.tsx';
import { useMayChange } from '../../session.ts';

interface Token {
  readonly id: number;
  readonly name: string;
  readonly created_at: string;
  readonly revoked_at: string | null;
}

export function Tokens() {
  const { settings } = useWords();
  const mayChange = useMayChange();
  const pages = usePages<'tokens', Token>('/api/tokens', 'tokens');
  return (
    <Card title={settings.tokens} lead={settings.tokensLead}>
      <TokenTable pages={pages} />
      {mayChange && <NewToken onMade={pages.reload} />}
    </Card>
  );
}

function TokenTable({ pages }: { readonly pages: Pages<Token> }) {
  const { settings, actions } = useWords();
  const mayChange = useMayChange();
  const revoke = useConfirmed<Token>(
    ({ name }) => ({
      title: settings.tokenRevoke(name),
      text: settings.tokenRevokeMore,
      action: actions.revoke,
    }),
    async ({ id }) => {
      await call('DELETE', `/api/tokens/${id}`);
      pages.reload();
    },
  );
  return (
    <>
      {revoke.view}
      <Listing
        of={pages}
        lines={3}
        keyOf={({ id }) => id}
        empty={<p class="soft small">{settings.noTokens}</p>}
        columns={[
          { title: settings.name, look: 'break', cell: ({ name }) => name },
          { title: settings.state, cell: (token) => <CredentialBadge of={token} /> },
          { title: settings.created, look: 'wide-only', cell: ({ created_at: at }) => <Time at={at} /> },
          {
            title: undefined,
            cell: (token) =>
              token.revoked_at === null &&
              mayChange && (
                <button type="button" class="tiny" onClick={() => revoke.ask(token)}>
                  {actions.revoke}
                </button>
              ),
          },
        ]}
      />
    </>
  );
}

/** Whether a token or a login lets anybody in. */
export function CredentialBadge(props: { readonly of: { readonly revoked_at: string | null } }) {
  const { settings } = useWords();
  const good = props.of.revoked_at === null;
  return <Badge tone={good ? 'good' : 'calm'}>{good ? settings.good : settings.revoked}</Badge>;
}

function NewToken({ onMade }: { readonly onMade: () => void }) {
  const { settings, actions } = useWords();
  const [name, setName] = useState('');
  const [token, setToken] = useState('');
  const { run, running, error } = useAction(async () => {
    const made = await post<{ token: string }>('/api/tokens', { name });
    setToken(made.token);
    setName('');
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
            label={settings.tokenNew}
            placeholder={settings.tokenName}
            required
            maxLength={100}
            value={name}
            onValue={setName}
          />
        </div>
        <button type="submit" disabled={running}>
          {actions.create}
        </button>
      </div>
      <Failure error={error} />
      {token !== '' && <Secret label={settings.tokenShown} value={token} />}
    </form>
  );
}
