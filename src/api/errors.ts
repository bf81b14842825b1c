/**
 * What a route throws to refuse a request. Each family of routes writes it in its own envelope
 * (`envelopes.ts`); what it says is for the caller to read, so it holds nothing secret.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly statusCode: number;
  /** A short name that programs may rely on, as in `not-found`. */
  readonly code: string;
  /** The part of the request at fault, as in `to[1]`; '' for the whole. */
  readonly field: string;
  /** When it may be worth trying again, undefined if it never is. */
  readonly retryAfterS: number | undefined;

  constructor(statusCode: number, code: string, message: string, field = '', retryAfterS?: number) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.field = field;
    this.retryAfterS = retryAfterS;
  }
}

export const notFound = (what: string): ApiError =>
  new ApiError(404, 'not-found', `There is no such ${what}`);
