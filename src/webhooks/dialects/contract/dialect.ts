/**
 * What a dialect is: how one webhook endpoint wants its events written. Each file of the folder above exports one as
 * `dialect`, and is found there by itself. A dialect is pure: the same event, place and options always give the same
 * text, for a retry is rendered again from the log and must have the same bytes.
 */
import type { KeyObject } from 'node:crypto';
import type { Static, TObject } from 'typebox';
import type { EventType, LoggedEvent } from '../../../events/types.ts';

/** `single`: a request carries one event, as an object. `array`: always a JSON array, also of one. */
export type Framing = 'single' | 'array';

/** Where an event stands among those of its endpoint. */
export interface Place {
  readonly webhookId: number;
  /** 1, 2, 3 … within the endpoint, or within the replay. */
  readonly number: number;
  /** 0 in the live stream. */
  readonly replayId: number;
}

/** What was taken between two instants. */
export interface Digest {
  /** Of the request that carries it. */
  readonly id: string;
  readonly accountId: number;
  readonly webhookId: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Events by their canonical type. */
  readonly counts: Readonly<Record<string, number>>;
  readonly firstNumber: number;
  readonly lastNumber: number;
  readonly hash: string;
  readonly setAside: number;
}

/** A signature of the dialect's own, beside those of Standard Webhooks. */
export interface OwnSignature {
  readonly key: 'ecdsa-p256';
  /** @returns names and values in turn */
  headers(facts: { readonly timeMs: number; readonly body: Buffer; readonly key: KeyObject }): string[];
}

export interface Dialect<Options extends TObject = TObject> {
  /** What an endpoint's `dialect` is set to. */
  readonly name: string;
  /** One sentence for the API's documentation. */
  readonly description: string;
  framing(options: Static<Options>): Framing;
  /** `application/json` when left out. */
  contentType?(options: Static<Options>): string;
  /** When a batch leaves, unless the endpoint says otherwise; a single event leaves at once. */
  readonly limits: { readonly count: number; readonly ageMs: number; readonly bytes: number };
  /** Settings of its own, each with its default. */
  readonly options: Options;
  /** What it calls the canonical types; it cannot tell of a type that is not here. */
  readonly eventNames: Readonly<Partial<Record<EventType, string>>>;
  /** Whether its events carry the event's id, so that a receiver can ask for one of them again. */
  readonly tellsIds: boolean;
  readonly signature?: OwnSignature;
  /** One event as JSON text, undefined if it has no word for this one. */
  write(event: LoggedEvent, options: Static<Options>, place: Place): string | undefined;
  /** A digest as the body of a request; left out by a dialect that has no word for one. */
  writeDigest?(digest: Digest, options: Static<Options>): string;
}
