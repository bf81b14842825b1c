/** Paces as the store has it: shared with the other processes of a database, or one process's alone. */
import type { Paces } from './allowance.ts';
import { LonePaces, type LonePacesDependencies } from './lone-paces.ts';
import { JointPaces } from './joint-paces.ts';

export async function openPaces(dependencies: LonePacesDependencies): Promise<Paces> {
  const { processName } = dependencies.store;
  if (processName === undefined) return LonePaces.open(dependencies);
  return new JointPaces({ ...dependencies, processName });
}
