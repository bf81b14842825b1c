/**
 * The answers to whoever asks for a pixel or follows a link. A token says all there is to know, so nothing is looked up
 * before an answer, and nobody is ever sent to an address that is not inside one of our own tokens.
 */
import type { QuickAnswer, QuickRequest } from '../api/app.ts';
import type { Clock } from '../platform/clock.ts';
import { plainAddress } from '../platform/client-address.ts';
import { trackingPaths } from '../tokens/links.ts';
import type { SignedTokens } from '../tokens/signed.ts';
import type { Recorder } from './recorder.ts';
import type { Visit } from './visit.ts';

export interface VisitParts {
  readonly tokens: Pick<SignedTokens, 'readOpen' | 'readClick'>;
  readonly recorder: Pick<Recorder, 'record' | 'writeDown'>;
  readonly clock: Clock;
}

/** Nothing here may be kept by a cache, indexed, or told to the page that is gone to. */
export const plainHeaders = {
  'cache-control': 'no-store, private',
  'x-robots-tag': 'noindex',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-type': 'text/plain; charset=utf-8',
} as const;

/** A transparent GIF of one pixel. */
const pixel = Buffer.from('R0lGODlhAQABAPAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');
const pixelBody = pixel.toString('latin1');
const pixelHeaders = { ...plainHeaders, 'content-type': 'image/gif' };

const longestUserAgent = 512;

/** As the server takes it. */
interface QuickVisits {
  readonly pathPrefixes: readonly string[];
  readonly answer: (request: QuickRequest) => QuickAnswer | undefined;
  readonly beforeTheyLeave: () => void;
}

/** The recorder has to write down what it recorded before the answer leaves. @returns undefined for a token that does not verify */
export type AnswerVisit = (token: string, request: QuickRequest) => QuickAnswer | undefined;

export function visitAnswers({ tokens, recorder, clock }: VisitParts): {
  readonly open: AnswerVisit;
  readonly click: AnswerVisit;
} {
  return {
    open(text, request) {
      const token = tokens.readOpen(text);
      if (token === undefined) return undefined;
      recorder.record(visitOf('opened', token.messageId, '', clock.now(), request));
      return { statusCode: 200, headers: pixelHeaders, location: undefined, body: pixelBody };
    },
    click(text, request) {
      const token = tokens.readClick(text);
      if (token === undefined) return undefined;
      const { messageId, target } = token;
      recorder.record(visitOf('clicked', messageId, target, clock.now(), request));
      return { statusCode: 302, headers: plainHeaders, location: inHeader(target), body: '' };
    },
  };
}

/** What a path of ours looks like as our links write it; whatever else leads to it goes the longer way. */
const writtenPath = /^(\/[oc]\/)([\w-]+)$/;

/** Pixel and links without the application around them, which costs more than the answer. */
export function quickVisits(parts: VisitParts): QuickVisits {
  const { open, click } = visitAnswers(parts);
  return {
    pathPrefixes: [trackingPaths.open, trackingPaths.click],
    beforeTheyLeave: () => parts.recorder.writeDown(),
    answer(request) {
      const [, path, token = ''] = writtenPath.exec(request.path) ?? [];
      if (path === trackingPaths.open) return open(token, request);
      return path === trackingPaths.click ? click(token, request) : undefined;
    },
  };
}

function visitOf(
  type: Visit['type'],
  messageId: number,
  url: string,
  atMs: number,
  { headers, address, isHead }: QuickRequest,
): Visit {
  return {
    type,
    messageId,
    atMs,
    url,
    userAgent: (headers['user-agent'] ?? '').slice(0, longestUserAgent).toWellFormed(),
    address: plainAddress(address),
    isHead,
    isPrefetch: isPrefetch(headers),
  };
}

/** By which browsers and mail programs say that they fetch ahead of their user. */
const prefetchHeaders = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const;

function isPrefetch(headers: QuickRequest['headers']): boolean {
  return prefetchHeaders.some((name) => {
    const purpose = headers[name];
    return purpose !== undefined && /prefetch|preview|prerender/i.test(String(purpose));
  });
}

/** A header is ASCII: what is not is written as a browser would ask for it, everything else stays as it is. */
function inHeader(target: string): string {
  return /^[!-~]*$/.test(target) ? target : new URL(target).href;
}
