/** Waiting for what another process does and tells nobody of: there is nothing to listen to, so it is looked at again. */
import { setTimeout as pause } from 'node:timers/promises';

const betweenLooksMs = 50;

/** Looks again until it holds; the test's own bound ends what never does. @returns what was seen at last */
export async function until<T>(look: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    await pause(betweenLooksMs);
  }
}
