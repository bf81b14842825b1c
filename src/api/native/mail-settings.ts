/**
 * What mail does when it does not say otherwise: tracking and List-Unsubscribe, for all of the account's mail, for a
 * sending domain or for a stream; and the account's own tracking name.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { type Static, Type } from '@fastify/type-provider-typebox';
import { addressOf } from '../../mail/address.ts';
import type { AccountSettings } from '../../store/contract/accounts.ts';
import type { DomainStore } from '../../store/contract/domains.ts';
import {
  type MailSettingsStore,
  mostScopedSettings,
  type SettingScope,
} from '../../store/contract/mail-settings.ts';
import type { App } from '../app.ts';
import { ApiError, notFound } from '../errors.ts';
import { closed, nullable } from './shapes.ts';

/** Of a send call, and of everything that says it in its place. */
export const TrackSwitches = {
  opens: Type.Optional(Type.Boolean({ description: 'A pixel in the HTML' })),
  clicks: Type.Optional(Type.Boolean({ description: 'Links in the HTML lead over the tracking name' })),
  text: Type.Optional(Type.Boolean({ description: 'With `clicks`: links in plain text too' })),
};
const Settings = {
  track: Type.Optional(closed(TrackSwitches)),
  list_unsubscribe: Type.Optional(Type.Boolean({ description: 'Adds one-click unsubscribe headers' })),
};
type Settings = {
  track?: { opens?: boolean; clicks?: boolean; text?: boolean };
  list_unsubscribe?: boolean;
};

const TrackingHost = nullable(
  Type.String({
    maxLength: 253,
    description:
      'The name under which links and pixels of the account’s mail stand: in one of its verified sending domains, and ' +
      'leading to this service. Null for the service’s own.',
    examples: ['track.example.com'],
  }),
);
const SettingsBody = closed(
  { ...Settings, tracking_host: Type.Optional(TrackingHost) },
  { description: 'What is left out stays as it is', examples: [{ track: { clicks: false } }] },
);
const ScopedBody = closed(Settings, {
  description: 'Replaces what was set; what is left out is as the account has it',
  examples: [{ track: { opens: false }, list_unsubscribe: true }],
});
const ScopedShape = Type.Object({ name: Type.String(), ...Settings });
const SettingsShape = Type.Object({
  track: Type.Object({ opens: Type.Boolean(), clicks: Type.Boolean(), text: Type.Boolean() }),
  list_unsubscribe: Type.Boolean(),
  tracking_host: TrackingHost,
  domains: Type.Array(ScopedShape),
  streams: Type.Array(ScopedShape),
});

export interface MailSettingsDependencies {
  readonly mailSettings: MailSettingsStore;
  readonly domains: Pick<DomainStore, 'ofSender'>;
  readonly publicUrl: string;
  readonly anyTrackingName: boolean;
}

const tags = ['settings'];

export function mailSettingsRoutes(app: App, dependencies: MailSettingsDependencies): void {
  const { mailSettings } = dependencies;
  app.get(
    '/api/settings',
    {
      schema: {
        operationId: 'getSettings',
        tags,
        summary: 'Tell what mail does when it does not say otherwise',
        response: { 200: SettingsShape },
      },
    },
    async ({ account }) => allSettings(mailSettings, account.id),
  );

  app.patch(
    '/api/settings',
    {
      schema: {
        operationId: 'changeSettings',
        tags,
        summary: 'Change what the account’s mail does',
        body: SettingsBody,
        response: { 200: SettingsShape },
      },
    },
    async ({ body: { tracking_host: host, ...settings }, account }) => {
      if (host !== undefined) {
        const name = host === null ? undefined : await checkedHost(host, account.id, dependencies);
        if ((await mailSettings.setHost({ accountId: account.id, host: name })) === 'taken') {
          throw new ApiError(409, 'host-taken', `Another account has the name ${name}`, 'tracking_host');
        }
      }
      await mailSettings.setAccount({ accountId: account.id, changes: fromBody(settings) });
      return allSettings(mailSettings, account.id);
    },
  );

  scopedRoutes(app, mailSettings, 'domain', checkedDomain);
  scopedRoutes(app, mailSettings, 'stream', checkedStream);
}

function scopedRoutes(
  app: App,
  mailSettings: MailSettingsStore,
  scope: SettingScope,
  checked: (name: string) => string,
): void {
  const url = `/api/settings/${scope}s/:name`;
  const params = closed({ name: Type.String({ maxLength: 253 }) });
  const capital = scope === 'domain' ? 'Domain' : 'Stream';

  app.put(
    url,
    {
      schema: {
        operationId: `set${capital}Settings`,
        tags,
        summary: `Set what mail of a ${scope === 'domain' ? 'sending domain (the one in From)' : scope} does`,
        params,
        body: ScopedBody,
        response: { 200: ScopedShape },
      },
    },
    async ({ params: { name }, body, account }) => {
      const known = checked(name);
      const input = { accountId: account.id, scope, name: known, settings: fromBody(body) };
      if ((await mailSettings.set(input)) === 'full') {
        const message = `The account has settings for ${mostScopedSettings} ${scope}s already`;
        throw new ApiError(422, 'too-many', message, 'name');
      }
      return { name: known, ...body };
    },
  );

  app.delete(
    url,
    {
      schema: {
        operationId: `remove${capital}Settings`,
        tags,
        summary: `Let mail of a ${scope} do what the account’s does`,
        params,
        response: { 204: Type.Null({ description: 'Gone' }) },
      },
    },
    async ({ params: { name }, account }, reply) => {
      const removed = await mailSettings.remove({ accountId: account.id, scope, name: checked(name) });
      if (!removed) throw notFound(`${scope} with settings of its own`);
      return reply.code(204).send(null);
    },
  );
}

async function allSettings(
  mailSettings: MailSettingsStore,
  accountId: number,
): Promise<Static<typeof SettingsShape>> {
  const [{ settings }, host, scoped] = await Promise.all([
    // No mail has such a domain or stream: this is what the account says for itself.
    mailSettings.defaultsFor({ accountId, domain: '', stream: '' }),
    mailSettings.hostOf(accountId),
    mailSettings.list(accountId),
  ]);
  const ofScope = (scope: SettingScope) =>
    scoped
      .filter((entry) => entry.scope === scope)
      .map((entry) => ({ name: entry.name, ...toBody(entry.settings) }));
  const { trackOpens, trackClicks, trackText, listUnsubscribe } = settings;
  return {
    track: { opens: trackOpens, clicks: trackClicks, text: trackText },
    list_unsubscribe: listUnsubscribe,
    tracking_host: host ?? null,
    domains: ofScope('domain'),
    streams: ofScope('stream'),
  };
}

function fromBody({ track = {}, list_unsubscribe: listUnsubscribe }: Settings): Partial<AccountSettings> {
  const { opens, clicks, text } = track;
  return {
    ...(opens !== undefined && { trackOpens: opens }),
    ...(clicks !== undefined && { trackClicks: clicks }),
    ...(text !== undefined && { trackText: text }),
    ...(listUnsubscribe !== undefined && { listUnsubscribe }),
  };
}

function toBody(settings: Partial<AccountSettings>): Settings {
  const { trackOpens, trackClicks, trackText, listUnsubscribe } = settings;
  const track = {
    ...(trackOpens !== undefined && { opens: trackOpens }),
    ...(trackClicks !== undefined && { clicks: trackClicks }),
    ...(trackText !== undefined && { text: trackText }),
  };
  return {
    ...(Object.keys(track).length > 0 && { track }),
    ...(listUnsubscribe !== undefined && { list_unsubscribe: listUnsubscribe }),
  };
}

/** A name with a dot, in its ASCII form: what Host headers and certificates hold. */
function hostName(text: string): string | undefined {
  const name = domainToASCII(text.toLowerCase());
  const isName = /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(
    name,
  );
  return isName && isIP(name) === 0 ? name : undefined;
}

/** A name that an account has not shown to be its own could be another account's, or one the operator needs. */
async function checkedHost(
  text: string,
  accountId: number,
  { domains, publicUrl, anyTrackingName }: MailSettingsDependencies,
): Promise<string> {
  const name = hostName(text);
  if (name === undefined) {
    throw new ApiError(422, 'invalid', `${JSON.stringify(text)} is not a host name`, 'tracking_host');
  }
  if (name === new URL(publicUrl).hostname) {
    throw new ApiError(409, 'host-taken', `${name} is the service’s own name`, 'tracking_host');
  }
  if (!anyTrackingName && (await domains.ofSender(accountId, name))?.verifiedAtMs === undefined) {
    const message = `${name} is in no verified sending domain of this account: add the domain (POST /api/domains) and publish its records`;
    throw new ApiError(403, 'host-unverified', message, 'tracking_host');
  }
  return name;
}

/** As it stands in stored From addresses. */
function checkedDomain(text: string): string {
  const name = addressOf(`from@${text}`)?.domain;
  if (name === undefined) {
    throw new ApiError(422, 'invalid', `${JSON.stringify(text)} is not a domain`, 'name');
  }
  return name;
}

function checkedStream(text: string): string {
  if (text.length <= 64 && /^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/.test(text)) return text;
  throw new ApiError(422, 'invalid', `${JSON.stringify(text)} is not a stream`, 'name');
}
