/** The native dialect: all that is known of an event, with the numbers that show a receiver what it has not had. */
import { Type } from 'typebox';
import type { Dialect } from './contract/dialect.ts';
import { isLeftOut, leaveOutMachines } from './contract/machines.ts';
import { nativeDigest, nativeEvent } from './contract/native-json.ts';

const options = Type.Object(
  {
    leave_out_machines: leaveOutMachines,
    framing: Type.Union([Type.Literal('array'), Type.Literal('single')], {
      default: 'array',
      description: '`single`: one object a request, at once. `array`: always an array, also of one event.',
    }),
  },
  { additionalProperties: false },
);

export const dialect: Dialect<typeof options> = {
  name: 'aftersend',
  description: 'All that is known of an event, numbered without gaps: a JSON array, or one object a request.',
  framing: ({ framing }) => framing,
  limits: { count: 500, ageMs: 1_000, bytes: 1024 * 1024 },
  options,
  tellsIds: true,
  eventNames: {
    accepted: 'accepted',
    skipped: 'skipped',
    deferred: 'deferred',
    delivered: 'delivered',
    bounced: 'bounced',
    opened: 'opened',
    clicked: 'clicked',
    unsubscribed: 'unsubscribed',
    complained: 'complained',
  },
  write: (event, { leave_out_machines: leavesOut }, place) =>
    isLeftOut(event, leavesOut) ? undefined : nativeEvent(event, place),
  writeDigest: nativeDigest,
};
