/** API tokens: made for a purpose, shown once, revoked for good. */
import { useState } from 'preact/hooks';
import { call, post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction, useLoaded } from '../../loading.ts';
import { Secret } from '../../parts/copying.tsx';
import { Field } from '../../parts/fields.tsx';
import { Failure, Show } from '../../parts/notices.tsx';
import { Badge, Card, Confirm, Time } from '../../parts/page.tsx';
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
  const loaded = useLoaded<{ tokens: readonly Token[] }>('/api/tokens');
  return (
    <Card title={settings.tokens} lead={settings.tokensLead}>
      <Show of={loaded} lines={3}>
        {({ tokens }) => <TokenTable tokens={tokens} onChange={loaded.reload} />}
      </Show>
      {mayChange && <NewToken onMade={loaded.reload} />}
    </Card>
  );
}

function TokenTable({
  tokens,
  onChange,
}: {
  readonly tokens: readonly Token[];
  readonly onChange: () => void;
}) {
  const { settings, actions } = useWords();
  const mayChange = useMayChange();
  const [revoking, setRevoking] = useState<Token | undefined>();
  const revoke = useAction(async (token: Token) => {
    setRevoking(undefined);
    await call('DELETE', `/api/tokens/${token.id}`);
    onChange();
  });
  return (
    <>
      <Failure error={revoke.error} />
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th>{settings.name}</th>
              <th>{settings.state}</th>
              <th class="wide-only">{settings.created}</th>
              <th>
                <span class="visually-hidden">{actions.revoke}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.id}>
                <td class="break">{token.name}</td>
                <td>
                  <Badge tone={token.revoked_at === null ? 'good' : 'calm'}>
                    {token.revoked_at === null ? settings.good : settings.revoked}
                  </Badge>
                </td>
                <td class="wide-only">
                  <Time at={token.created_at} />
                </td>
                <td class="actions">
                  {token.revoked_at === null && mayChange && (
                    <button type="button" class="tiny" onClick={() => setRevoking(token)}>
                      {actions.revoke}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {revoking !== undefined && (
        <Confirm
          title={settings.tokenRevoke(revoking.name)}
          text={settings.tokenRevokeMore}
          action={actions.revoke}
          onYes={() => void revoke.run(revoking)}
          onNo={() => setRevoking(undefined)}
        />
      )}
    </>
  );
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
