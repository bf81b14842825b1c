/** What the server of `joint-limits.test.ts` takes from all processes together. */
import type { DestinationLimits } from '../../src/deliver/pace/destinations.ts';

export const jointLimits: DestinationLimits = {
  connections: 4,
  messagesPerConnection: 20,
  messagesPerMinute: 240,
};
