/** For dialects without a word for who it was: an endpoint can leave out what machines opened and clicked. */
import { Type } from 'typebox';
import type { LoggedEvent } from '../../../events/types.ts';

/** An option `leave_out_machines`. */
export const leaveOutMachines = Type.Boolean({
  default: false,
  description:
    'Leaves out opens and clicks that a machine is taken to have made (security scanners, prefetching). Those by ' +
    'people and by mailbox providers’ proxies are told.',
});

export const isLeftOut = (event: LoggedEvent, leavesOut: boolean): boolean =>
  leavesOut && event.visitor === 'machine';
