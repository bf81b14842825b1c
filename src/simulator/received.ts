/**
 * What a recipient finds in the mail it got: the pixel, the first tracked link, the way to leave, where to complain.
 * Found by reading the mail as a mail program does, so that what the service put into it is tested and not assumed.
 */
import { Parser } from 'htmlparser2';
import PostalMime from 'postal-mime';

/** As much of the header as a report quotes. */
const longestQuoteBytes = 16 * 1024;

interface Found {
  readonly pixelUrl: string | undefined;
  readonly firstLink: string | undefined;
  /** Only where the mail says that one POST is enough (RFC 8058). */
  readonly oneClickUrl: string | undefined;
  /** RFC 9477, undefined if the mail has none. */
  readonly feedbackAddress: string | undefined;
}

/** @param isOurs true for a URL of this service's tracking; no other is ever returned */
export async function readReceived(content: Buffer, isOurs: (url: string) => boolean): Promise<Found> {
  const mail = await PostalMime.parse(content);
  const header = (name: string) => mail.headers.find(({ key }) => key === name)?.value;
  const waysToLeave = anglesOf(header('list-unsubscribe')).filter(isOurs);
  const { pixelUrl, firstLink } = trackedUrls(
    mail.html ?? '',
    (url) => isOurs(url) && !waysToLeave.includes(url),
  );
  const oneClick = /^List-Unsubscribe=One-Click$/i.test(header('list-unsubscribe-post')?.trim() ?? '');
  return {
    pixelUrl,
    firstLink,
    oneClickUrl: oneClick ? waysToLeave[0] : undefined,
    feedbackAddress: header('cfbl-address')?.split(';')[0]?.trim(),
  };
}

function trackedUrls(html: string, isTracked: (url: string) => boolean) {
  let pixelUrl: string | undefined;
  let firstLink: string | undefined;
  const parser = new Parser({
    onopentag(name, { src = '', href = '' }) {
      if (name === 'img' && isTracked(src)) pixelUrl ??= src;
      if ((name === 'a' || name === 'area') && isTracked(href)) firstLink ??= href;
    },
  });
  parser.end(html);
  return { pixelUrl, firstLink };
}

/** The URLs of a header like List-Unsubscribe (RFC 2369). */
function anglesOf(value = ''): string[] {
  return [...value.matchAll(/<([^<>]*)>/g)].map(([, url = '']) => url.replaceAll(/\s+/g, ''));
}

/** The mail's header, for the part of a report that says which mail it is about. */
export function quotedHeader(content: Buffer): string {
  const end = content.indexOf('\r\n\r\n');
  const header = content.subarray(0, end < 0 ? content.length : end + 2).toString('latin1');
  // Cut at a line end: a report's part has whole lines.
  return header.length <= longestQuoteBytes
    ? header
    : header.slice(0, header.lastIndexOf('\r\n', longestQuoteBytes) + 2);
}
