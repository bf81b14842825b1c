/** What a lane asks before it sends: how much may go to its destination, from this process and now. */
import type { Destination } from './destinations.ts';
import type { Slots } from '../slots.ts';

export interface Allowance {
  /** Messages that may be under way at once, and connections that may be open. */
  readonly connections: number;
  /** How many they will be as far as can be said: what is planned with, 1 at least. */
  readonly plannedConnections: number;
  /** Between two messages, on average. */
  readonly distanceMs: number;
  /** Nothing goes before. */
  readonly restUntilMs: number;
  /** When the next message may go; Infinity while that is for others to say: `onChange` is called when they have. */
  readonly readyAtMs: number;
  /** So many messages wait for their turn. */
  waits(count: number): void;
  sent(nowMs: number): void;
  served(): void;
  unreachable(): void;
  toldOff(nowMs: number): void;
}

/** Where allowances come from. */
export interface Paces extends AsyncDisposable {
  /**
   * @param slots of the connections to the destination
   * @param onChange what the allowance says has become something else without a word of the lane's own
   */
  of(destination: Destination, slots: Slots, onChange: () => void): Allowance;
  /** Of a lane that sends no more. */
  forget(allowance: Allowance): void;
}
