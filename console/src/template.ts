/** Templates as the API tells of them. */

export interface Template {
  readonly id: number;
  readonly name: string;
  readonly from_email: string;
  readonly from_name: string;
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
  readonly version: number;
  readonly updated_at: string;
}

/** One save of a template, as a list has it. */
export interface TemplateVersion {
  readonly version: number;
  readonly saved_at: string;
  /** '' for a program. */
  readonly author: string;
  readonly name: string;
  readonly subject: string;
}

export type WholeTemplateVersion = TemplateVersion &
  Pick<Template, 'from_email' | 'from_name' | 'html' | 'text'>;
