/**
 * Who was it? Applies the rules to a visit and what else is known of its message. Pure: the same visit and facts always
 * get the same label.
 */
import type { Visitor } from '../events/types.ts';
import { addressRange, isLoopback } from '../platform/networks.ts';
import {
  type AgentRule,
  agentRules,
  habitRules,
  humanRules,
  type NetworkRule,
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
}

const networks = networkRules.map((rule) => ({ rule, holds: addressRange(rule.networks) }));

export function visitorOf(visit: Visit, facts: VisitFacts): Visitor {
  const { kind, confidence, reason } =
    requestRule(visit) ??
    agentRules.find((rule) => agentHolds(rule, visit)) ??
    networkRule(visit) ??
    habitRule(visit, facts) ??
    fallback(visit);
  return { kind, confidence, reason };
}

function requestRule({ isPrefetch, isHead }: Visit): Visitor | undefined {
  if (isPrefetch) return requestRules.prefetch;
  return isHead ? requestRules.head : undefined;
}

function agentHolds({ pattern, of, fromLoopback }: AgentRule, visit: Visit): boolean {
  if (of !== undefined && of !== visit.type) return false;
  return pattern.test(visit.userAgent) && (fromLoopback !== true || isLoopback(visit.address));
}

function networkRule({ type, address }: Visit): NetworkRule | undefined {
  return networks.find(({ rule, holds }) => (rule.of ?? type) === type && holds(address))?.rule;
}

function habitRule(visit: Visit, facts: VisitFacts): Visitor | undefined {
  const { manyLinks, headBefore, beforeDelivery, soonAfterDelivery } = habitRules;
  if (facts.linksAtOnce >= manyLinks.links) return manyLinks;
  if (facts.askedHead) return headBefore;
  const afterMs = visit.atMs - (facts.deliveredAtMs ?? Infinity);
  if (afterMs < 0) return beforeDelivery;
  const soonMs = visit.type === 'opened' ? soonAfterDelivery.openedMs : soonAfterDelivery.clickedMs;
  return afterMs < soonMs ? soonAfterDelivery : undefined;
}

function fallback(visit: Visit): Visitor {
  const rule = humanRules.find((candidate) => agentHolds(candidate, visit));
  if (rule === undefined) throw new Error('the last rule holds for every visit');
  return rule;
}
