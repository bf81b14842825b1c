/**
 * What goes wrong, and when: processes that are killed or stopped, the primary that is killed under load. The plan comes
 * from the seed; whoever keeps the processes running (systemd, Kubernetes) is played here, too.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresPair } from '../support/postgres-pair.ts';
import type { TestService } from '../support/service.ts';
import { between, type Chance, oneOf } from './chance.ts';

/** A process of the cluster and what it does. */
export interface Member {
  readonly name: string;
  readonly service: TestService;
  readonly delivers: boolean;
  readonly tells: boolean;
}

/** Times are those of `performance.now()`. */
export interface Fault {
  readonly kind: 'killed' | 'stopped' | 'failover';
  /** Undefined for the database. */
  readonly member: Member | undefined;
  readonly fromMs: number;
  /** When it was over: started again, going on, promoted. */
  untilMs: number;
}

export class Faults {
  readonly done: Fault[] = [];
  readonly #members: readonly Member[];
  readonly #pair: PostgresPair;
  readonly #chance: Chance;
  /** Those that nothing else may be done to just now. */
  readonly #busy = new Set<Member>();
  readonly #running = new Set<Promise<void>>();

  constructor(members: readonly Member[], pair: PostgresPair, chance: Chance) {
    this.#members = members;
    this.#pair = pair;
    this.#chance = chance;
  }

  /** Ends a process without a word; it is started again a moment later. */
  kill(): void {
    const member = this.#victim(() => true);
    if (member === undefined) return;
    const fault = this.#begin('killed', member);
    this.#run(fault, async () => {
      await member.service.stop('SIGKILL');
      await pause(between(this.#chance, 200, 2000));
      await member.service.start();
    });
  }

  /** Stops a process that others can stand in for, and lets it go on as if nothing had been. */
  stop(forMs: number): void {
    const member = this.#victim(({ delivers, tells }) => delivers || tells);
    if (member === undefined) return;
    const fault = this.#begin('stopped', member);
    this.#run(fault, async () => {
      member.service.signal('SIGSTOP');
      await pause(forMs);
      member.service.signal('SIGCONT');
    });
  }

  /** @param rebuild whether a new standby follows, for the next one */
  failOver({ rebuild }: { rebuild: boolean }): void {
    const fault = this.#begin('failover', undefined);
    this.#run(fault, async () => {
      await this.#pair.killPrimary({ deafMs: between(this.#chance, 50, 1000) });
      await pause(between(this.#chance, 300, 3000));
      await this.#pair.promote();
      fault.untilMs = performance.now();
      if (rebuild) await this.#pair.rebuildStandby();
    });
  }

  /** Resolves when nothing is wrong any more. */
  async over(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Undefined when something is being done to all of them. */
  #victim(may: (member: Member) => boolean): Member | undefined {
    const free = this.#members.filter((member) => !this.#busy.has(member) && may(member));
    return free.length === 0 ? undefined : oneOf(this.#chance, free);
  }

  #begin(kind: Fault['kind'], member: Member | undefined): Fault {
    const fault: Fault = { kind, member, fromMs: performance.now(), untilMs: Infinity };
    this.done.push(fault);
    return fault;
  }

  #run(fault: Fault, work: () => Promise<void>): void {
    const { member } = fault;
    if (member !== undefined) this.#busy.add(member);
    const running = work().finally(() => {
      if (member !== undefined) this.#busy.delete(member);
      if (fault.untilMs === Infinity) fault.untilMs = performance.now();
      this.#running.delete(running);
    });
    this.#running.add(running);
  }
}

/** Longer than a silent process keeps what is its own. */
export const beyondLeaseMs = 27_000;

/** The short form: one process is stopped beyond its lease, two are killed, and in between the primary. */
export async function shortPlan(faults: Faults, chance: Chance): Promise<void> {
  await pause(between(chance, 500, 2000));
  faults.stop(beyondLeaseMs);
  await pause(between(chance, 1000, 4000));
  faults.kill();
  await pause(between(chance, 4000, 8000));
  faults.failOver({ rebuild: false });
  await pause(between(chance, 6000, 9000));
  faults.kill();
  await pause(between(chance, 2000, 5000));
}

/** The long form: whatever comes, as often as it comes. */
export async function longPlan(faults: Faults, chance: Chance, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  let mayFailOverAtMs = performance.now() + 10_000;
  let mayStopAtMs = 0;
  while (performance.now() < endMs) {
    await pause(between(chance, 1000, 10_000));
    const nowMs = performance.now();
    const thrown = chance();
    if (thrown < 0.3 && nowMs >= mayFailOverAtMs) {
      faults.failOver({ rebuild: true });
      mayFailOverAtMs = nowMs + 45_000;
    } else if (thrown < 0.5 && nowMs >= mayStopAtMs) {
      const forMs = oneOf(chance, [between(chance, 500, 15_000), beyondLeaseMs]);
      faults.stop(forMs);
      mayStopAtMs = nowMs + forMs + 5_000;
    } else {
      faults.kill();
    }
  }
}
