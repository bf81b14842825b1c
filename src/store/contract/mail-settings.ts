/**
 * What a message does when it does not say otherwise: tracking and List-Unsubscribe. An account says it for all of its
 * mail, and differently for a sending domain (the domain in From) or for a stream; the more particular one counts.
 * The account's own tracking name, under which its mail's links stand, is kept here as well.
 */
import type { AccountSettings } from './accounts.ts';

export const settingScopes = ['domain', 'stream'] as const;
export type SettingScope = (typeof settingScopes)[number];

export interface ScopedSettings {
  readonly scope: SettingScope;
  /** Of the domain (lower case) or the stream. */
  readonly name: string;
  /** What is left out here is as the account has it. */
  readonly settings: Partial<AccountSettings>;
}

export interface MessageDefaults {
  readonly settings: AccountSettings;
  /** '' if the account has no name of its own. */
  readonly trackingHost: string;
}

/** How many scopes of either kind an account may have settings for. */
export const mostScopedSettings = 1000;

export interface MailSettingsStore {
  /**
   * What holds for mail of this domain and stream: the stream's settings, else the domain's, else the account's.
   * @throws for an account that does not exist
   */
  defaultsFor(input: { accountId: number; domain: string; stream: string }): Promise<MessageDefaults>;
  /** Changes what is named in `changes` and leaves the rest. */
  setAccount(input: { accountId: number; changes: Partial<AccountSettings> }): Promise<AccountSettings>;
  /** Replaces what the scope says. `full`: the account has `mostScopedSettings` of its kind. */
  set(input: ScopedSettings & { readonly accountId: number }): Promise<'set' | 'full'>;
  /** @returns false if there were none */
  remove(input: { accountId: number; scope: SettingScope; name: string }): Promise<boolean>;
  /** By name. */
  list(accountId: number): Promise<readonly ScopedSettings[]>;

  /** `taken`: it is another account's. @param host lower case; undefined gives up the one there is */
  setHost(input: { accountId: number; host: string | undefined }): Promise<'set' | 'taken'>;
  hostOf(accountId: number): Promise<string | undefined>;
  /** Whether it is any account's tracking name. */
  isHost(host: string): Promise<boolean>;
}
