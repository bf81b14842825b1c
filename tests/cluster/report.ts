/** What a run came to, for people. */
import type { Fault } from './faults.ts';
import type { Result } from './prove.ts';

const logChars = 20_000;

export function reportOf(result: Result): string {
  const { sent, faults, ledger, subscriptions, copies, secondCopies, secondEvents, problems } = result;
  const answered = sent.filter((one) => one.answered !== undefined);
  const unanswered = sent.length - answered.length;
  const recipients = answered.reduce((sum, one) => sum + one.recipients.length, 0);
  const byDoor = (by: string) => answered.filter((one) => one.by === by).length;
  const repeated = answered.filter(({ isKeyed, tries }) => isKeyed && tries > 1).length;
  const states = (state: string) => ledger.messages.filter((message) => message.state === state).length;
  const ofType = (type: string) => ledger.events.filter((event) => event.type === type).length;
  const at = (ms: number) => `${((ms - result.startMs) / 1000).toFixed(1).padStart(6)} s`;
  const told = ({ kind, member, fromMs, untilMs }: Fault): string => {
    const lastedS = ((untilMs - fromMs) / 1000).toFixed(1);
    if (kind === 'killed') return `${at(fromMs)}  ${member?.name} killed, up again after ${lastedS} s`;
    if (kind === 'stopped') return `${at(fromMs)}  ${member?.name} stopped for ${lastedS} s`;
    const mailMs = Math.min(...answered.map((one) => one.answered?.atMs ?? 0).filter((ms) => ms > untilMs));
    const eventMs = Math.min(
      ...subscriptions.flatMap(({ endpoint }) =>
        endpoint.taken.map(({ atMs }) => atMs).filter((ms) => ms > untilMs),
      ),
    );
    return `${at(fromMs)}  primary killed, standby promoted after ${lastedS} s; from then, mail was taken after ${((mailMs - untilMs) / 1000).toFixed(1)} s, events told after ${((eventMs - untilMs) / 1000).toFixed(1)} s`;
  };
  const causes = (counts: ReadonlyMap<Fault, number> | undefined) => {
    const list = [...(counts ?? [])].map(
      ([{ kind, member, fromMs }, count]) =>
        `${count} by ${kind === 'failover' ? 'the failover' : `${member?.name} ${kind}`} at${at(fromMs).replace(/^ +/, ' ')}`,
    );
    return list.length === 0 ? 'none' : list.join(', ');
  };
  const endpoints = subscriptions.map(({ endpoint }) => {
    const { name, taken, requests, failed } = endpoint;
    const events = new Set(taken.map(({ eventId }) => eventId)).size;
    return `  ${name.padEnd(28)} ${String(events).padStart(7)} events in ${requests} requests (${failed} failed); twice: ${causes(secondEvents.get(endpoint))}`;
  });
  return [
    'What went wrong:',
    ...faults.map((fault) => `  ${told(fault)}`),
    `Submissions: ${answered.length} answered (HTTP ${byDoor('http')}, SMTP ${byDoor('smtp')}) with ${recipients} messages; ${unanswered} not; ${repeated} repeated under their key`,
    `Messages in the database: ${ledger.messages.length} (${states('delivered')} delivered, ${states('bounced')} bounced); recipients with a copy: ${copies.size}; second copies: ${causes(secondCopies)}`,
    `Events in the log: ${ledger.events.length} (${ofType('opened')} opened, ${ofType('unsubscribed')} unsubscribed); all through ${((result.endMs - result.stillMs) / 1000).toFixed(1)} s after the last of it, ${((result.endMs - result.startMs) / 1000).toFixed(1)} s after the first`,
    'Endpoints:',
    ...endpoints,
    problems.length === 0 ? 'Nothing is lost, everything is in order.' : `PROBLEMS (${problems.length}):`,
    ...problems.slice(0, 30).map((problem) => `  ${problem}`),
    ...result.logs.map((log) => log.slice(-logChars)),
  ].join('\n');
}
