/**
 * Turns a customer's template and parameters into the parts of a mail (Liquid). A template is a stranger's program: it
 * gets bounded time and memory, sees its parameters and nothing else (no files, no prototypes, no other template), and
 * in the HTML part every value is escaped unless it says `| raw`.
 */
import { Liquid, type Template, UndefinedVariableError } from 'liquidjs';
import type { MissingVariables } from '../../store/contract/templates.ts';

/** Characters of one part's source. */
export const maxPartChars = 512 * 1024;
/** Time of rendering one part. A mail of 100 KB takes about 2 ms. */
const renderLimitMs = 200;
/** What filters and loops may allocate in one part: characters and array elements. */
const memoryLimit = 8 * 2 ** 20;
/** Characters of one rendered part. Text outside of `{{ }}` does not count as memory, so a loop may multiply it. */
const maxRenderedChars = 16 * 2 ** 20;

const limits = { parseLimit: maxPartChars, renderLimit: renderLimitMs, memoryLimit };
const options = {
  ...limits,
  strictFilters: true,
  // `{% if user.name %}` and `| default:` are how a template asks whether a parameter is there.
  lenientIf: true,
  ownPropertyOnly: true,
  // An empty set of templates stands where files would be read from: include, render and layout find nothing.
  templates: {},
  // The same mail on every machine.
  timezoneOffset: 0,
  locale: 'en-US',
} as const;

/**
 * Each recipient's own unsubscribe link is put in on the way out: what a template calls `unsubscribe_url` is the
 * placeholder for it, whatever a send call gives under this name.
 */
const lateParameters = { unsubscribe_url: '{{ unsubscribe_url }}' };

const plain = new Liquid(options);
const markup = new Liquid({ ...options, outputEscape: 'escape' });

export type TemplatePart = 'subject' | 'html' | 'text';

export interface TemplateParts {
  readonly subject: string;
  readonly html: string | undefined;
  readonly text: string | undefined;
}

/** A template cannot be parsed, or not be rendered with these parameters. `message` is for its owner to read. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly reason: 'template-invalid' | 'template-variable-missing' | 'template-failed';
  readonly part: TemplatePart;

  constructor(reason: TemplateError['reason'], part: TemplatePart, message: string, cause: unknown) {
    super(message, { cause });
    this.reason = reason;
    this.part = part;
  }
}

const engineOf = (part: TemplatePart): Liquid => (part === 'html' ? markup : plain);

/** @throws TemplateError a part is not Liquid */
export function checkTemplate(parts: TemplateParts): void {
  for (const part of ['subject', 'html', 'text'] as const) parse(part, parts[part] ?? '');
}

/** @throws TemplateError */
export function renderTemplate(
  parts: TemplateParts,
  params: Readonly<Record<string, unknown>>,
  missingVariables: MissingVariables,
): TemplateParts {
  const strictVariables = missingVariables === 'error';
  const render = (part: TemplatePart, source: string): string => {
    const parsed = parse(part, source);
    try {
      const rendered = engineOf(part).renderSync(
        parsed,
        { ...params, ...lateParameters },
        { strictVariables },
      ) as string;
      if (rendered.length > maxRenderedChars) throw new Error('output limit exceeded');
      return rendered;
    } catch (error) {
      const missing = error instanceof UndefinedVariableError;
      throw refusal(missing ? 'template-variable-missing' : 'template-failed', part, error);
    }
  };
  return {
    subject: render('subject', parts.subject).trim(),
    html: parts.html === undefined ? undefined : render('html', parts.html),
    text: parts.text === undefined ? undefined : render('text', parts.text),
  };
}

function parse(part: TemplatePart, source: string): Template[] {
  try {
    return engineOf(part).parse(source);
  } catch (error) {
    throw refusal('template-invalid', part, error);
  }
}

function refusal(reason: TemplateError['reason'], part: TemplatePart, cause: unknown): TemplateError {
  return new TemplateError(reason, part, `${part}: ${(cause as Error).message}`, cause);
}
