/** A real OpenID provider (oidc-provider, certified) on loopback, whose people sign in by their name and any password. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

export interface PersonThere {
  readonly email: string;
  readonly email_verified: boolean;
}

export const clientId = 'aftersend';
export const clientSecret = 'a secret of some length';

export class TestProvider implements AsyncDisposable {
  readonly issuer: string;
  /** By the name that they sign in by, which is their subject too. */
  readonly people = new Map<string, PersonThere>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<TestProvider> {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return new TestProvider(server);
  }

  /** Begins to answer. Its client is known only once the service has an address. */
  serve(redirectUri: string): void {
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [redirectUri],
          token_endpoint_auth_method: 'client_secret_basic',
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      cookies: { keys: ['a key of the test'] },
      features: { rpInitiatedLogout: { enabled: true } },
      findAccount: async (_context, sub) => ({
        accountId: sub,
        claims: async () => ({ sub, ...this.people.get(sub) }),
      }),
    });
    const answer = provider.callback();
    this.#server.on('request', (request, response) => void answer(request, response));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
