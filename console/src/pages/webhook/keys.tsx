/** What a webhook's requests are signed with, how to check that, and new keys for old ones. */
import { useState } from 'preact/hooks';
import { post } from '../../api.ts';
import { useWords } from '../../language.ts';
import { useAction } from '../../loading.ts';
import { Code, Secret } from '../../parts/copying.tsx';
import { Failure } from '../../parts/notices.tsx';
import { Card, Dialog, Segments } from '../../parts/page.tsx';
import { useMayChange } from '../../session.ts';
import type { WebhookDetail } from '../../webhook.ts';
import { type VerifierName, verifierNames, verifiers } from './verifiers.ts';

export function Keys({ webhook }: { readonly webhook: WebhookDetail }) {
  const { webhooks } = useWords();
  const mayChange = useMayChange();
  const [language, setLanguage] = useState<VerifierName>('Node.js');
  // A key that is shared is shown once, when it is made; of a pair the public half may be seen by all.
  const pairs = webhook.signing_keys.filter((key) => key.public_key !== null && key.expires_at === null);
  return (
    <Card title={webhooks.verify} lead={webhooks.verifyLead}>
      <div>
        <Segments
          label={webhooks.verify}
          value={language}
          options={verifierNames.map((name) => [name, name] as const)}
          onValue={setLanguage}
        />
      </div>
      <Code text={verifiers[language]} />
      {pairs.map(({ kind, public_key: key }) => (
        <Secret key={kind} label={webhooks.publicKey(kind)} value={key ?? ''} />
      ))}
      {mayChange && <Rotation webhook={webhook} />}
    </Card>
  );
}

function Rotation({ webhook }: { readonly webhook: WebhookDetail }) {
  const { webhooks, settings, actions } = useWords();
  const [asking, setAsking] = useState(false);
  const [secret, setSecret] = useState('');
  const { run, running, error } = useAction(async (overlapHours: number) => {
    setAsking(false);
    const path = `/api/webhooks/${webhook.id}/secret`;
    setSecret((await post<{ secret: string }>(path, { overlap_hours: overlapHours })).secret);
  });
  return (
    <>
      {secret !== '' && <Secret label={settings.secretLead} value={secret} />}
      <Failure error={error} />
      <div>
        <button type="button" disabled={running} onClick={() => setAsking(true)}>
          {webhooks.rotate}
        </button>
      </div>
      {asking && (
        <Dialog title={webhooks.rotateAsk} onClose={() => setAsking(false)}>
          <p class="soft">{webhooks.rotateMore}</p>
          <div class="row">
            <button type="button" class="primary" onClick={() => void run(overlapHours)}>
              {webhooks.rotate}
            </button>
            <button type="button" class="danger" onClick={() => void run(0)}>
              {webhooks.rotateNow}
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              {actions.cancel}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** How long the old keys sign beside the new ones. */
const overlapHours = 24;
