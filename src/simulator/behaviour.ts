/** The simulator's recipients: what each does is said by its local part. Pure. */

const simulatorDomain = 'simulator.test';

const behaviours = [
  'delivered',
  'opened',
  'clicked',
  'unsubscribed',
  'complained',
  'soft-bounced',
  'hard-bounced',
  'late-bounced',
  'slow',
] as const;

/** `captured`: mail for any other domain, which in the simulator route is kept here and goes nowhere. */
export type Behaviour = (typeof behaviours)[number] | 'captured';

/** `opened+anything@simulator.test` is `opened`. A recipient that is none of the known ones takes its mail, no more. */
export function behaviourOf(address: string): Behaviour {
  const at = address.lastIndexOf('@');
  if (address.slice(at + 1).toLowerCase() !== simulatorDomain) return 'captured';
  const name = address.slice(0, at).split('+')[0]?.toLowerCase();
  return behaviours.find((behaviour) => behaviour === name) ?? 'delivered';
}
