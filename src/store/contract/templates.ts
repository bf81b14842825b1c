/** Templates of an account: mail texts with places for parameters, kept as they were written, with what they were before. */
import type { CreatedOr } from './accounts.ts';

/** What a template does with a parameter that a send call does not give. */
export const missingVariablesRules = ['error', 'empty'] as const;
export type MissingVariables = (typeof missingVariablesRules)[number];

/** What its owner writes. */
export interface TemplateContent {
  /** Unique in the account. */
  readonly name: string;
  /** The sender when a send call names none; '' if it has to. */
  readonly fromAddress: string;
  readonly fromName: string;
  readonly subject: string;
  /** At least one of the two is not undefined. */
  readonly html: string | undefined;
  readonly text: string | undefined;
  readonly missingVariables: MissingVariables;
  /** Undefined takes the stream's or the account's setting. */
  readonly listUnsubscribe: boolean | undefined;
}

export interface Template extends TemplateContent {
  readonly id: number;
  readonly accountId: number;
  /** 1 as it was made; each change makes the next one. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What a template was, or is: one save of it. */
export interface TemplateVersion {
  readonly version: number;
  readonly savedAtMs: number;
  /** The e-mail address of who saved it, '' for a program. */
  readonly author: string;
  /** As it was called then. */
  readonly name: string;
  readonly subject: string;
}

/** Versions that are kept of a template, the newest one among them; older ones go. */
export const keptTemplateVersions = 50;

/** `unknown`: the account has no such template. `taken`: another has the name. */
export type TemplateChange =
  | { readonly kind: 'changed'; readonly value: Template }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'taken' };

export interface TemplateStore {
  create(input: {
    accountId: number;
    content: TemplateContent;
    author: string;
    atMs: number;
  }): Promise<CreatedOr<Template>>;
  /** Replaces the whole content. What is the same as before is no change; with every other `updatedAtMs` grows. */
  change(input: {
    accountId: number;
    templateId: number;
    content: TemplateContent;
    author: string;
    atMs: number;
  }): Promise<TemplateChange>;
  /**
   * Makes a new version of what an older one was, but for the name: programs find the template by it.
   * `unknown`: there is no such template, or the version is not kept any more.
   */
  restore(input: {
    accountId: number;
    templateId: number;
    version: number;
    author: string;
    atMs: number;
  }): Promise<TemplateChange>;
  /** Its versions go with it; messages made of it stay. @returns false if the account has no such template */
  remove(input: { accountId: number; templateId: number }): Promise<boolean>;
  byId(accountId: number, templateId: number): Promise<Template | undefined>;
  byName(accountId: number, name: string): Promise<Template | undefined>;
  /** The kept ones, newest first. */
  versions(accountId: number, templateId: number): Promise<readonly TemplateVersion[]>;
  version(
    accountId: number,
    templateId: number,
    version: number,
  ): Promise<(TemplateVersion & TemplateContent) | undefined>;
  /** Newest first, after the keyset cursor `beforeId`. */
  list(input: {
    accountId: number;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly Template[]>;
}
