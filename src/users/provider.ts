/**
 * Signing in by an OpenID provider that the operator named: authorization code with PKCE, state and nonce (OpenID Connect
 * Core 1.0, section 3.1; RFC 7636; RFC 9700). What has to be remembered between leaving and coming back goes along in a
 * sealed cookie, so that any process can take up what another began. Decides about nobody: who a person is there is all
 * that it says. Never keeps or tells a token of the provider.
 */
import { createHash } from 'node:crypto';
import type { Configuration } from 'openid-client';
import type { Clock, Random } from '../platform/clock.ts';
import type { ProvenPerson } from '../store/contract/users.ts';
import type { Seal } from './proof.ts';

const scope = 'openid email';
const randomBytes = 32;
/** Of one request to the provider. */
const requestTimeoutS = 10;
/** How long somebody may stay at the provider, with a second factor and a forgotten password. */
export const signInMs = 15 * 60_000;
/** What the provider says of itself (its addresses) is asked again after so long. */
const discoveredForMs = 3_600_000;
const sealedFor = 'a sign-in by the OpenID provider';

export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** '' for a public client. */
  readonly clientSecret: string;
}

/**
 * `cancelled`: by the person, there. `expired`: begun too long ago, in another browser, or anew since. `unreachable`: the
 * provider does not answer. `failed`: it answered something that is not to be believed, or refused us.
 */
export type ProviderFault = 'cancelled' | 'expired' | 'unreachable' | 'failed';

/** `message` is for the operator's log: it holds no secret and nothing of the person. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly fault: ProviderFault;

  constructor(fault: ProviderFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.fault = fault;
  }
}

export interface Provider {
  /** As people know it: its host. */
  readonly name: string;
  /** Where one signs out there; undefined while that is not known. */
  readonly signOutUrl: string | undefined;
  /**
   * @param to where the person goes once they are in
   * @returns where they sign in, and what their browser has to bring along when they come back
   * @throws ProviderError
   */
  begin(to: string): Promise<{ readonly url: string; readonly sealed: string }>;
  /** @param came the address by which they came back. @throws ProviderError */
  finish(sealed: string, came: URL): Promise<{ readonly person: ProvenPerson; readonly to: string }>;
}

interface Begun {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly to: string;
  readonly atMs: number;
}

interface ProviderDependencies {
  /** Where people come back to; registered at the provider. */
  readonly redirectUri: string;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
}

export function createProvider(
  settings: ProviderSettings,
  { redirectUri, seal, clock, random }: ProviderDependencies,
): Provider {
  const discovery = new Discovery(settings, clock);
  const secret = () => random.bytes(randomBytes).toString('base64url');
  return {
    name: new URL(settings.issuer).host,
    get signOutUrl() {
      return discovery.signOutUrl;
    },

    async begin(to) {
      const { buildAuthorizationUrl } = await import('openid-client');
      const config = await discovery.config();
      const begun: Begun = { state: secret(), nonce: secret(), verifier: secret(), to, atMs: clock.now() };
      const url = buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope,
        state: begun.state,
        nonce: begun.nonce,
        code_challenge: createHash('sha256').update(begun.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      return { url: url.href, sealed: seal.close(JSON.stringify(begun), sealedFor) };
    },

    async finish(sealed, came) {
      const begun = opened(seal, sealed);
      const late = begun === undefined || clock.now() - begun.atMs > signInMs;
      if (late || came.searchParams.get('state') !== begun.state) {
        throw new ProviderError('expired', 'the sign-in was begun too long ago, elsewhere, or anew');
      }
      // As it is registered, whatever a proxy made of the address.
      const response = new URL(redirectUri);
      response.search = came.search;
      const config = await discovery.config();
      return { person: await personOf(config, response, begun), to: begun.to };
    },
  };
}

function opened(seal: Seal, sealed: string): Begun | undefined {
  try {
    return JSON.parse(seal.open(sealed, sealedFor)) as Begun;
  } catch {
    // A stranger's bytes, or a secret that is no longer there.
    return undefined;
  }
}

async function personOf(
  config: Configuration,
  response: URL,
  { state, nonce, verifier }: Begun,
): Promise<ProvenPerson> {
  const { authorizationCodeGrant, fetchUserInfo } = await import('openid-client');
  try {
    const tokens = await authorizationCodeGrant(config, response, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
    });
    const claims = tokens.claims();
    if (claims === undefined) throw new ProviderError('failed', 'the provider sent no ID token');
    const { issuer, userinfo_endpoint: userInfo } = config.serverMetadata();
    const told =
      claims['email'] === undefined && userInfo !== undefined
        ? await fetchUserInfo(config, tokens.access_token, claims.sub)
        : claims;
    const { email, email_verified: verified } = told;
    const isTheirs = verified === true && typeof email === 'string' && /^[^\s@]+@[^\s@]+$/.test(email);
    return { issuer, subject: claims.sub, email: isTheirs ? email.toLowerCase() : undefined };
  } catch (error) {
    throw asProviderError(error);
  }
}

/** What the provider says of itself: asked when it is first needed, and by one at a time. */
class Discovery {
  readonly #settings: ProviderSettings;
  readonly #clock: Clock;
  #found: { readonly config: Configuration; readonly atMs: number } | undefined;
  #asking: Promise<Configuration> | undefined;

  constructor(settings: ProviderSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get signOutUrl(): string | undefined {
    const endpoint = this.#found?.config.serverMetadata().end_session_endpoint;
    const url = endpoint === undefined ? null : URL.parse(endpoint);
    url?.searchParams.set('client_id', this.#settings.clientId);
    return url?.href;
  }

  /** @throws ProviderError */
  async config(): Promise<Configuration> {
    const found = this.#found;
    if (found !== undefined && this.#clock.now() - found.atMs < discoveredForMs) return found.config;
    this.#asking ??= this.#discover().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #discover(): Promise<Configuration> {
    const { allowInsecureRequests, ClientSecretBasic, ClientSecretPost, Configuration, discovery, None } =
      await import('openid-client');
    const { issuer, clientId, clientSecret } = this.#settings;
    // The settings let http be on this machine alone.
    const execute = issuer.startsWith('http:') ? [allowInsecureRequests] : [];
    try {
      const options = { execute, timeout: requestTimeoutS };
      const metadata = (
        await discovery(new URL(issuer), clientId, undefined, None(), options)
      ).serverMetadata();
      // OpenID Connect Discovery 1.0, section 3: Basic where the provider says nothing.
      const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } = metadata;
      const proof = methods.includes('client_secret_post')
        ? ClientSecretPost(clientSecret)
        : ClientSecretBasic(clientSecret);
      const config = new Configuration(metadata, clientId, undefined, clientSecret === '' ? None() : proof);
      config.timeout = requestTimeoutS;
      for (const method of execute) method(config);
      this.#found = { config, atMs: this.#clock.now() };
      return config;
    } catch (error) {
      throw asProviderError(error);
    }
  }
}

function asProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const chain = causesOf(error);
  const message = chain.map((cause) => cause.message).join(': ');
  const { error: told } = error as { error?: unknown };
  if (told === 'access_denied') return new ProviderError('cancelled', message);
  const isNetwork = chain.some(
    ({ name, message }) => name === 'TimeoutError' || (name === 'TypeError' && message === 'fetch failed'),
  );
  const what = typeof told === 'string' ? `${message} (${told})` : message;
  return new ProviderError(isNetwork ? 'unreachable' : 'failed', what, error);
}

/** An error, what caused it, and so on; no deeper than anybody reads. */
function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let at = error; at instanceof Error && causes.length < 5; at = at.cause) causes.push(at);
  return causes;
}
