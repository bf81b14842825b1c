/** Settings → API: where a program's notifications go and which, and how it gets in by HTTP and by SMTP. */
import { useState } from 'preact/hooks';
import { useWords } from '../language.ts';
import { useLoaded } from '../loading.ts';
import { Show } from '../parts/notices.tsx';
import { Card, Page } from '../parts/page.tsx';
import { useMayChange } from '../session.ts';
import type { Dialect, Webhook } from '../webhook.ts';
import { SmtpLogins } from './settings/smtp-logins.tsx';
import { Tokens } from './settings/tokens.tsx';
import { WebhookForm } from './settings/webhook-form.tsx';

export function Settings() {
  const { settings } = useWords();
  return (
    <Page title={settings.title} lead={settings.lead}>
      <Webhooks />
      <Tokens />
      <SmtpLogins />
    </Page>
  );
}

function Webhooks() {
  const { settings } = useWords();
  const mayChange = useMayChange();
  const webhooks = useLoaded<{ webhooks: readonly Webhook[] }>('/api/webhooks');
  const dialects = useLoaded<{ dialects: readonly Dialect[] }>('/api/dialects');
  const [adding, setAdding] = useState(false);
  /** Shown once, beside the webhook that was just made. */
  const [made, setMade] = useState<{ id: number; secret: string } | undefined>();
  const onMade = (id: number, secret: string) => {
    setMade({ id, secret });
    setAdding(false);
    webhooks.reload();
  };
  return (
    <Show of={dialects}>
      {({ dialects: known }) => (
        <Show of={webhooks}>
          {({ webhooks: list }) => (
            <>
              {list.map((webhook) => (
                <Card key={webhook.id} title={settings.webhook} lead={settings.webhookLead}>
                  <WebhookForm
                    webhook={webhook}
                    dialects={known}
                    secret={made?.id === webhook.id ? made.secret : undefined}
                    onMade={onMade}
                    onChange={webhooks.reload}
                  />
                </Card>
              ))}
              {(list.length === 0 || adding) && (
                <Card title={settings.webhook} lead={settings.webhookLead}>
                  <WebhookForm dialects={known} onMade={onMade} onChange={webhooks.reload} />
                </Card>
              )}
              {list.length > 0 && !adding && mayChange && (
                <div>
                  <button type="button" onClick={() => setAdding(true)}>
                    {settings.another}
                  </button>
                </div>
              )}
            </>
          )}
        </Show>
      )}
    </Show>
  );
}
