/**
 * Who was it? Applies the rules to a visit and what else is known of its message. Pure: the same visit and facts always
 * get the same label.
 */
import type { Visitor } from '../events/types.ts';
import { BoundedMap } from '../platform/failure-meter.ts';
import { addressRange, isLoopback } from '../platform/networks.ts';
import {
  type AgentRule,
  agentRules,
  habitRules,
  humanRules,
  networkRules,
  requestRules,
} from './visitor-rules.ts';
import type { Visit } from './visit.ts';

export interface VisitFacts {
  /** Undefined while the message is queued. */
  readonly deliveredAtMs: number | undefined;
  /** Different links of the message followed at about the same time, this one included. */
  readonly linksAtOnce: number;
  /** Whether the same program asked for the headers of a link of the message before. */
  readonly askedHead: boolean;
  /** The link was asked for so often that visits are only counted. */
  readonly isEndless: boolean;
}

const networks = networkRules.map((rule) => ({ rule, holds: addressRange(rule.networks) }));

/** A dozen patterns and thirty networks take 15 µs, and the same programs and addresses come again and again. */
const rulesOfAgent = remembering((userAgent) => agentRules.filter(({ pattern }) => pattern.test(userAgent)));
const humansOfAgent = remembering((userAgent) => humanRules.filter(({ pattern }) => pattern.test(userAgent)));
const rulesOfAddress = remembering((address) =>
  networks.filter(({ holds }) => holds(address)).map(({ rule }) => rule),
);

/** What the request itself says, whatever else is known; undefined if nothing. */
export function visitorByRequest(visit: Visit): Visitor | undefined {
  const rule =
    requestRule(visit) ??
    rulesOfAgent(visit.userAgent).find((candidate) => agentHolds(candidate, visit)) ??
    rulesOfAddress(visit.address).find(({ of }) => (of ?? visit.type) === visit.type);
  return rule === undefined ? undefined : visitor(rule);
}

/** Of a visit whose request says nothing. */
export function visitorByFacts(visit: Visit, facts: VisitFacts): Visitor {
  return visitor(habitRule(visit, facts) ?? fallback(visit));
}

const visitor = ({ kind, confidence, reason }: Visitor): Visitor => ({ kind, confidence, reason });

function requestRule({ isPrefetch, isHead }: Visit): Visitor | undefined {
  if (isPrefetch) return requestRules.prefetch;
  return isHead ? requestRules.head : undefined;
}

function agentHolds({ of, fromLoopback }: AgentRule, { type, address }: Visit): boolean {
  if (of !== undefined && of !== type) return false;
  return fromLoopback !== true || isLoopback(address);
}

function habitRule(visit: Visit, facts: VisitFacts): Visitor | undefined {
  const { endless, manyLinks, headBefore, beforeDelivery, soonAfterDelivery } = habitRules;
  if (facts.isEndless) return endless;
  if (facts.linksAtOnce >= manyLinks.links) return manyLinks;
  if (facts.askedHead) return headBefore;
  const afterMs = visit.atMs - (facts.deliveredAtMs ?? Infinity);
  if (afterMs < 0) return beforeDelivery;
  const soonMs = visit.type === 'opened' ? soonAfterDelivery.openedMs : soonAfterDelivery.clickedMs;
  return afterMs < soonMs ? soonAfterDelivery : undefined;
}

function fallback(visit: Visit): Visitor {
  const rule = humansOfAgent(visit.userAgent).find((candidate) => agentHolds(candidate, visit));
  if (rule === undefined) throw new Error('the last rule holds for every visit');
  return rule;
}

function remembering<Answer extends object>(answer: (text: string) => Answer): (text: string) => Answer {
  const answers = new BoundedMap<string, Answer>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    const found = answer(text);
    answers.set(text, found);
    return found;
  };
}
