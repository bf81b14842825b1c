/**
 * Names under which customers' tracked links stand. They serve what recipients ask for and nothing else: the console
 * and the API are to be found under the public URL alone.
 */
import { Type } from '@fastify/type-provider-typebox';
import type { MailSettingsStore } from '../store/contract/mail-settings.ts';
import type { App } from './app.ts';

export interface TrackingNamesDependencies {
  readonly mailSettings: Pick<MailSettingsStore, 'isHost'>;
  readonly publicUrl: string;
}

/** Call before any route is added. */
export function trackingNames(app: App, { mailSettings, publicUrl }: TrackingNamesDependencies): void {
  const publicHost = new URL(publicUrl).hostname;

  app.addHook('onRequest', async ({ hostname, routeOptions }, reply) => {
    // A link is followed without a look-up, whatever name it stands under.
    if (routeOptions.config?.onTrackingNames === true) return;
    const host = nameIn(hostname);
    if (host === publicHost || !(await mailSettings.isHost(host))) return;
    await reply.code(404).type('text/plain; charset=utf-8').send('Not found\n');
  });

  // What a TLS proxy asks before it gets a certificate for a name that somebody has called it by (Caddy's `ask`).
  app.get(
    '/certificate-names',
    {
      schema: { hide: true, querystring: Type.Object({ domain: Type.String({ maxLength: 253 }) }) },
    },
    async ({ query }, reply) => {
      const host = nameIn(query.domain);
      const ours = host === publicHost || (await mailSettings.isHost(host));
      return reply
        .code(ours ? 200 : 404)
        .type('text/plain; charset=utf-8')
        .send(ours ? 'Ours\n' : 'Not ours\n');
    },
  );
}

/** A name is the same with the dot of the root behind it (RFC 3986 section 3.2.2); what stands before an @ is none of it. */
const nameIn = (host: string): string =>
  host
    .slice(host.lastIndexOf('@') + 1)
    .toLowerCase()
    .replace(/\.$/, '');
