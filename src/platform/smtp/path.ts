/** The argument of MAIL and RCPT: a path in angle brackets and parameters (RFC 5321 section 4.1.1.2 and 4.1.1.3). */

export interface PathArgument {
  /** '' for the null path. */
  readonly address: string;
  /** By upper-case name; '' for those without a value. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A local part in quotes may hold an angle bracket. */
const pathPattern = /^(FROM|TO):\s*<((?:[^<>"@]+|"(?:[^"\\]|\\.)*")*(?:@[^<>"]*)?)>(?:\s+(.*))?$/i;
const parameterPattern = /^([a-z0-9][a-z0-9-]*)(?:=([!-<>-~]+))?$/i;
/** U+FFFD is what stands for bytes that are no UTF-8. */
const unwanted = /[\p{Cc}\uFFFD]/u;
/** `<@one,@two:user@domain>`: to be understood, and ignored (RFC 5321 appendix C). */
const sourceRoute = /^(?:@[^@:,<>]+,?)+:/;

/** @returns undefined if `argument` does not begin with `keyword:<path>` or a parameter is malformed or given twice */
export function readPath(keyword: 'FROM' | 'TO', argument: string): PathArgument | undefined {
  const route = /<(@[^:>]*:)/.exec(argument)?.[1];
  const plain = route !== undefined && sourceRoute.test(route) ? argument.replace(route, '') : argument;
  const match = pathPattern.exec(plain.trimEnd());
  if (match === null || match[1]?.toUpperCase() !== keyword) return undefined;
  const address = match[2] ?? '';
  if (unwanted.test(address)) return undefined;
  const parameters = new Map<string, string>();
  for (const word of match[3]?.split(/\s+/) ?? []) {
    const [, name, value] = parameterPattern.exec(word) ?? [];
    if (name === undefined || parameters.has(name.toUpperCase())) return undefined;
    parameters.set(name.toUpperCase(), value ?? '');
  }
  return { address, parameters };
}

export const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);
