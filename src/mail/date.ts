/** Dates as mail writes them (RFC 5322 section 3.3), always in UTC. */

/** As in `Tue, 01 Jul 2025 09:30:00 +0000`. */
export function mailDate(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000');
}
