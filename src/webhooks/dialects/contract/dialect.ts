/**
 * What a dialect is: how one webhook endpoint wants its events written. Each file of the folder above exports one as
 * `dialect`, and is found there by itself. A dialect is pure: the same event and options always give the same text, for
 * a retry is rendered again from the log and must have the same bytes.
 */
import type { Static, TObject } from 'typebox';
import type { EventType, LoggedEvent } from '../../../events/types.ts';

export interface Dialect<Options extends TObject = TObject> {
  /** What an endpoint's `dialect` is set to. */
  readonly name: string;
  /** One sentence for the API's documentation. */
  readonly description: string;
  /** `single`: a request carries one event, as an object. `array`: always a JSON array, also of one. */
  readonly framing: 'single' | 'array';
  /** When a batch leaves, unless the endpoint says otherwise. */
  readonly limits: { readonly count: number; readonly ageMs: number; readonly bytes: number };
  /** Settings of its own, each with its default. */
  readonly options: Options;
  /** What it calls the canonical types; it cannot tell of a type that is not here. */
  readonly eventNames: Readonly<Partial<Record<EventType, string>>>;
  /** One event as JSON text, undefined if it has no word for this one. */
  write(event: LoggedEvent, options: Static<Options>): string | undefined;
}
