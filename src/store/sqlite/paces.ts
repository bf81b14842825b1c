/** What is known of destinations, for the one process that serves a data folder. */
import type { KeptDestination, PaceStore } from '../contract/paces.ts';
import { recentDestinations } from '../sql/paces.ts';
import type { Reader } from './database.ts';
import type { WriteVerbs } from './writer.ts';

export function paceStore(reader: Reader, write: WriteVerbs['paces']): PaceStore {
  // Nobody else writes them, but a call of this process may: one after the other.
  let turn: Promise<unknown> = Promise.resolve();
  const stateOf = (name: string): [string, string][] => {
    const row = reader.get<KeptDestination>('SELECT name, state FROM destinations WHERE name = ?', name);
    return row === undefined ? [] : [[name, row.state]];
  };
  return {
    processName: undefined,
    recent: recentDestinations(reader),
    change({ names, nowMs }, decide) {
      const changed = turn.then(async () => {
        const { state, result } = decide(new Map(names.flatMap(stateOf)), () => Infinity);
        await write.keep({ states: [...state].map(([name, state]) => ({ name, state })), nowMs });
        return result;
      });
      turn = changed.catch(() => undefined);
      return changed;
    },
  };
}
