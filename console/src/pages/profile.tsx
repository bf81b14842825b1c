/** What concerns the signed-in person alone: password, second factor, where they are signed in. */
import { useState } from 'preact/hooks';
import { call, post } from '../api.ts';
import { useSpeech, useWords } from '../language.ts';
import { partOf, useAction, useLoaded } from '../loading.ts';
import { Secret } from '../parts/copying.tsx';
import { faultOf, Field } from '../parts/fields.tsx';
import { Listing } from '../parts/listing.tsx';
import { Failure } from '../parts/notices.tsx';
import { QrCode } from '../parts/qr-code.tsx';
import { Badge, Card, Page } from '../parts/page.tsx';
import { useSession } from '../session.ts';
import { relativeTime } from '../times.ts';

export function Profile() {
  const { profile } = useWords();
  const { session } = useSession();
  return (
    <Page title={profile.title} lead={session.user.email}>
      <div class="columns">
        <div class="stack">
          {session.user.password ? <Password /> : <NoPassword />}
          <Sessions />
        </div>
        {session.user.password && <SecondFactor />}
      </div>
    </Page>
  );
}

function Password() {
  const { profile } = useWords();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [done, setDone] = useState(false);
  const { run, running, error } = useAction(async () => {
    setDone(false);
    await post('/api/session/password', { password: old, new_password: fresh });
    setOld('');
    setFresh('');
    setDone(true);
  });
  return (
    <Card title={profile.password} lead={profile.passwordLead}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Field
          label={profile.old}
          type="password"
          autocomplete="current-password"
          required
          value={old}
          onValue={setOld}
        />
        <Field
          label={profile.fresh}
          type="password"
          autocomplete="new-password"
          required
          minLength={10}
          value={fresh}
          onValue={setFresh}
          fault={faultOf(error, 'new_password')}
        />
        <Failure error={error} />
        {done && (
          <div class="notice good" role="status">
            {profile.changed}
          </div>
        )}
        <div>
          <button type="submit" disabled={running}>
            {profile.change}
          </button>
        </div>
      </form>
    </Card>
  );
}

/** Who came by the provider needs none, and may ask for one. */
function NoPassword() {
  const { profile } = useWords();
  return (
    <Card title={profile.password}>
      <p class="soft">
        {profile.noPassword} <code>npx aftersend user reset EMAIL</code>
      </p>
    </Card>
  );
}

function SecondFactor() {
  const { profile } = useWords();
  const { session, reload } = useSession();
  const on = session.user.second_factor;
  const [proposal, setProposal] = useState<{ secret: string; uri: string } | undefined>();
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const propose = useAction(async () => setProposal(await post('/api/session/totp/new')));
  const set = useAction(async () => {
    if (on) await post('/api/session/totp/off', { password });
    else await call('PUT', '/api/session/totp', { secret: proposal?.secret, code, password });
    setProposal(undefined);
    setCode('');
    setPassword('');
    reload();
  });
  return (
    <Card
      title={profile.factor}
      lead={profile.factorLead}
      actions={<Badge tone={on ? 'good' : 'calm'}>{on ? profile.on : profile.off}</Badge>}
    >
      {!on && proposal === undefined && (
        <div>
          <button type="button" onClick={() => void propose.run()}>
            {profile.enable}
          </button>
        </div>
      )}
      {(on || proposal !== undefined) && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void set.run();
          }}
        >
          {proposal !== undefined && (
            <>
              <p class="small soft">{profile.scan}</p>
              <QrCode text={proposal.uri} label={profile.qrCode} />
              <Secret label="TOTP" value={proposal.secret} />
              <Field
                label={profile.code}
                inputMode="numeric"
                autocomplete="one-time-code"
                required
                value={code}
                onValue={setCode}
              />
            </>
          )}
          <Field
            label={profile.old}
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onValue={setPassword}
          />
          <Failure error={set.error} />
          <div>
            <button type="submit" disabled={set.running}>
              {on ? profile.disable : profile.enable}
            </button>
          </div>
        </form>
      )}
    </Card>
  );
}

interface SessionEntry {
  readonly id: number;
  readonly user_agent: string;
  readonly address: string;
  readonly seen_at: string;
  readonly current: boolean;
}

function Sessions() {
  const { words, language } = useSpeech();
  const { profile } = words;
  const loaded = useLoaded<{ sessions: readonly SessionEntry[] }>('/api/sessions');
  const end = useAction(async (id: number) => {
    await call('DELETE', `/api/sessions/${id}`);
    loaded.reload();
  });
  return (
    <Card title={profile.sessions} flush>
      <Failure error={end.error} />
      <Listing
        of={partOf(loaded, ({ sessions }) => sessions)}
        lines={2}
        keyOf={({ id }) => id}
        empty={null}
        columns={[
          { title: profile.browser, look: 'break', cell: ({ user_agent: agent }) => browserOf(agent) },
          {
            title: profile.lastSeen,
            look: 'soft',
            cell: ({ address, seen_at: at }) => `${relativeTime(at, language, Date.now())}, ${address}`,
          },
          {
            title: undefined,
            cell: ({ id, current }) =>
              current ? (
                <Badge tone="good">{profile.current}</Badge>
              ) : (
                <button type="button" class="tiny" onClick={() => void end.run(id)}>
                  {profile.end}
                </button>
              ),
          },
        ]}
      />
    </Card>
  );
}

/** A browser's name for itself, without the history of browsers in front of it. */
function browserOf(userAgent: string): string {
  const system = /Windows|Android|iPhone|iPad|Mac OS X|Linux/.exec(userAgent)?.[0] ?? '';
  const browser = /(Firefox|Edg|OPR|YaBrowser|HeadlessChrome|Chrome|Safari)\/[\d.]+/.exec(userAgent)?.[1];
  return [browser ?? userAgent.slice(0, 60), system].filter((part) => part !== '').join(', ');
}
