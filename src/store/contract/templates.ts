/** Templates of an account: mail texts with places for parameters, kept as they were written. */
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
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** `unknown`: the account has no such template. `taken`: another has the name. */
export type TemplateChange =
  | { readonly kind: 'changed'; readonly value: Template }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'taken' };

export interface TemplateStore {
  create(input: { accountId: number; content: TemplateContent; atMs: number }): Promise<CreatedOr<Template>>;
  /** Replaces the whole content; `updatedAtMs` grows with every change. */
  change(input: {
    accountId: number;
    templateId: number;
    content: TemplateContent;
    atMs: number;
  }): Promise<TemplateChange>;
  /** Messages made of it stay. @returns false if the account has no such template */
  remove(input: { accountId: number; templateId: number }): Promise<boolean>;
  byId(accountId: number, templateId: number): Promise<Template | undefined>;
  byName(accountId: number, name: string): Promise<Template | undefined>;
  /** Newest first, after the keyset cursor `beforeId`. */
  list(input: {
    accountId: number;
    limit: number;
    beforeId?: number | undefined;
  }): Promise<readonly Template[]>;
}
