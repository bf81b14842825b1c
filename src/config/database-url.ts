/**
 * A PostgreSQL's URL as libpq writes it: it may name several servers, a primary and its standbys, of which the one that
 * takes writes is meant. Errors never repeat the URL: it may hold a password.
 */

const parts = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#@]+)(\/[^/?#]+(?:\?[^#]*)?)$/;
/** libpq's names for "takes writes"; anything else would lead a service that writes to a standby. */
const writable = new Set(['read-write', 'primary']);

/** @returns a URL for each server, in the order in which they are tried. @throws Error saying what it should look like */
export function serverUrls(value: string): readonly string[] {
  const [, start = '', hosts = '', end = ''] = parts.exec(value) ?? [];
  return hosts.split(',').map((host) => {
    const url = URL.parse(`${start}${host}${end}`);
    if (url === null || url.hostname === '') {
      throw new Error(
        'is not postgres://USER:PASSWORD@HOST:PORT/DATABASE, or with HOST:PORT,HOST:PORT for a primary and its standbys',
      );
    }
    const attributes = url.searchParams.get('target_session_attrs');
    if (attributes === null) return url.href;
    if (!writable.has(attributes)) {
      throw new Error('target_session_attrs can be read-write alone: a service writes');
    }
    url.searchParams.delete('target_session_attrs');
    return url.href;
  });
}
