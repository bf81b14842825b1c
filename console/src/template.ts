/** Templates as the API tells of them. */

export interface Template {
  readonly id: number;
  readonly name: string;
  readonly from_email: string;
  readonly from_name: string;
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
  readonly updated_at: string;
}
