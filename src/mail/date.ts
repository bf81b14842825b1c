/** Dates as mail writes them (RFC 5322 section 3.3), always in UTC. */

/** The last one, which the messages of a second share: writing it takes 3 µs. */
let written = { atS: Number.NaN, text: '' };

/** As in `Tue, 01 Jul 2025 09:30:00 +0000`. */
export function mailDate(atMs: number): string {
  const atS = Math.floor(atMs / 1000);
  if (atS !== written.atS) {
    written = { atS, text: new Date(atS * 1000).toUTCString().replace('GMT', '+0000') };
  }
  return written.text;
}
