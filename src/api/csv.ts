/**
 * CSV (RFC 4180) as it is written by us and by spreadsheets: fields quoted where they have to be, CRLF or LF, a byte order
 * mark at the beginning, commas or semicolons. Reading is bounded and takes its text in pieces. Knows no table. What
 * strangers have written must never come to a spreadsheet as a formula.
 */
import { ApiError } from './errors.ts';

const mostFields = 50;
const longestFieldChars = 2000;

/** What a spreadsheet would calculate, and what stands there already to keep it from that. */
const formula = /^'*[=+\-@]/;

export function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => quoted(formula.test(field) ? `'${field}` : field)).join(',')}\r\n`;
}

const quoted = (field: string): string =>
  /[",;\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

/** As `csvLine` writes it, so that what is exported comes back the same. */
const withoutApostrophe = (field: string): string =>
  field.startsWith("'") && formula.test(field) ? field.slice(1) : field;

export interface CsvRow {
  /** Where it begins in the text, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** @throws ApiError `csv-malformed`: quotes that do not fit, or more than a table of addresses can hold */
export async function* readCsv(text: AsyncIterable<string>): AsyncGenerator<CsvRow> {
  const reader = new CsvReader();
  for await (const piece of text) yield* reader.push(piece);
  yield* reader.end();
}

type State = 'start' | 'plain' | 'quoted' | 'quote-in-quoted';

class CsvReader {
  #state: State = 'start';
  #field = '';
  #fields: string[] = [];
  #line = 1;
  #rowLine = 1;
  #separator = '';
  #isFirst = true;

  *push(piece: string): Generator<CsvRow> {
    for (const character of this.#isFirst ? piece.replace(/^\uFEFF/, '') : piece) {
      this.#isFirst = false;
      const ended = this.#take(character);
      if (character === '\n') this.#line++;
      if (ended) yield* this.#row();
    }
  }

  *end(): Generator<CsvRow> {
    if (this.#state === 'quoted') throw malformed(this.#rowLine, 'a quote has no end');
    yield* this.#row();
  }

  /** @returns true at the end of a row */
  #take(character: string): boolean {
    if (this.#state === 'quoted') {
      if (character === '"') this.#state = 'quote-in-quoted';
      else this.#add(character);
      return false;
    }
    if (character === '"') {
      if (this.#state === 'plain')
        throw malformed(this.#line, 'a quote stands inside a field that has none around it');
      if (this.#state === 'quote-in-quoted') this.#add('"');
      this.#state = 'quoted';
      return false;
    }
    if (this.#separates(character)) {
      this.#endField();
      return false;
    }
    if (character === '\n') return true;
    if (character === '\r') return false;
    if (this.#state === 'quote-in-quoted') throw malformed(this.#line, 'something follows a closing quote');
    this.#state = 'plain';
    this.#add(character);
    return false;
  }

  /** The first separator that stands outside of quotes is the one of the whole text. */
  #separates(character: string): boolean {
    if (this.#separator === '' && (character === ',' || character === ';')) this.#separator = character;
    return character === this.#separator;
  }

  #add(character: string): void {
    if (this.#field.length >= longestFieldChars) throw malformed(this.#rowLine, 'a field is too long');
    this.#field += character;
  }

  #endField(): void {
    if (this.#fields.length >= mostFields) throw malformed(this.#rowLine, 'a line has too many fields');
    this.#fields.push(withoutApostrophe(this.#field.trim()));
    this.#field = '';
    this.#state = 'start';
  }

  *#row(): Generator<CsvRow> {
    this.#endField();
    const row = { line: this.#rowLine, fields: this.#fields };
    this.#fields = [];
    this.#rowLine = this.#line;
    if (row.fields.some((field) => field !== '')) yield row;
  }
}

function malformed(line: number, what: string): ApiError {
  return new ApiError(422, 'csv-malformed', `Line ${line}: ${what}`);
}
