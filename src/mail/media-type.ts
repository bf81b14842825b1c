/** Reading Content-Type and Content-Disposition (RFC 2045, RFC 2183): a value and its parameters. Never fails. */

export interface ParameterizedValue {
  /** Lower case, without parameters. */
  readonly value: string;
  /** By lower-case name, unquoted. Of the continuations and charsets of RFC 2231 only the first piece, as it stands. */
  readonly parameters: ReadonlyMap<string, string>;
}

const parameter = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g;

export function parseParameterized(text: string): ParameterizedValue {
  const end = text.indexOf(';');
  const parameters = new Map<string, string>();
  if (end >= 0) {
    for (const [, name = '', quoted, plain = ''] of text.matchAll(parameter)) {
      const key = name.toLowerCase().replace(/\*.*$/, '');
      if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
    }
  }
  return { value: (end < 0 ? text : text.slice(0, end)).trim().toLowerCase(), parameters };
}
