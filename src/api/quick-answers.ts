/**
 * Answers that need nothing but the request, given before the application sees it: its routing, hooks and replies cost more
 * than such an answer. What is not answered here goes the usual way, and would be answered the same there.
 */
import type { RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../platform/clock.ts';
import { clientAddress } from '../platform/client-address.ts';
import type { QuickAnswer, QuickRequest } from './app.ts';
import type { MeasureRequest } from './operations.ts';

export interface QuickRoute {
  /** Of the paths that may be for it, and what metrics call them. */
  readonly pathPrefixes: readonly string[];
  /** @returns undefined for what is not for it */
  readonly answer: (request: QuickRequest) => QuickAnswer | undefined;
  /** Called when some were answered, before the answers leave. */
  readonly beforeTheyLeave: () => void;
}

export const noQuickRoute: QuickRoute = {
  pathPrefixes: [],
  answer: () => undefined,
  beforeTheyLeave: () => undefined,
};

interface QuickParts {
  readonly route: QuickRoute;
  /** Of every answer, unless it says otherwise. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isProxy: (address: string) => boolean;
  readonly clock: Pick<Clock, 'now'>;
  readonly measure: MeasureRequest;
  /** The application has begun to stop: it says so itself. */
  readonly isClosing: () => boolean;
}

/** A listener that answers what the route takes, and hands on the rest. */
export function answeringQuickly(parts: QuickParts, application: RequestListener): RequestListener {
  const { route, headers: common, isProxy, clock, measure, isClosing } = parts;
  const headersOf = new WeakMap<QuickAnswer['headers'], Readonly<Record<string, string>>>();
  const send = sendingTogether(route.beforeTheyLeave);
  return (request, response) => {
    const { method = '', url: path = '', headers } = request;
    const prefix = route.pathPrefixes.find((candidate) => path.startsWith(candidate));
    if (prefix === undefined || (method !== 'GET' && method !== 'HEAD') || isClosing()) {
      application(request, response);
      return;
    }
    const startedAtMs = clock.now();
    const address = clientAddress(request.socket.remoteAddress ?? '', headers['x-forwarded-for'], isProxy);
    const answer = route.answer({ path, headers, address, isHead: method === 'HEAD' });
    if (answer === undefined) {
      application(request, response);
      return;
    }
    const { statusCode, location, body } = answer;
    let head = headersOf.get(answer.headers);
    if (head === undefined) {
      head = { ...common, ...answer.headers, 'content-length': String(body.length) };
      headersOf.set(answer.headers, head);
    }
    send(response, { statusCode, headers: location === undefined ? head : { ...head, location }, body });
    const seconds = Math.max(0, clock.now() - startedAtMs) / 1000;
    measure({ method, route: `${prefix}*`, status: statusCode }, seconds);
  };
}

interface Ready {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Answers to requests that were read in one turn of the loop leave at its end, one after the other: a proxy on the same
 * machine wakes once for them and not for each, which costs more than an answer takes.
 */
function sendingTogether(beforeTheyLeave: () => void) {
  let ready: { readonly response: ServerResponse; readonly answer: Ready }[] = [];
  const sendAll = () => {
    const all = ready;
    ready = [];
    beforeTheyLeave();
    for (const { response, answer } of all) {
      response.writeHead(answer.statusCode, answer.headers);
      // As one string with the headers it is one write; as bytes it would be two.
      response.end(answer.body, 'latin1');
    }
  };
  return (response: ServerResponse, answer: Ready): void => {
    if (ready.push({ response, answer }) === 1) setImmediate(sendAll);
  };
}
