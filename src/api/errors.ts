/**
 * What a route throws to refuse a request. Each family of routes writes it in its own envelope
 * (`native/envelope.ts`, `msndr/envelope.ts`); what it says is for the caller to read, so it holds nothing secret.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly statusCode: number;
  /** A short name that programs may rely on, as in `not-found`. */
  readonly code: string;
  /** The part of the request at fault, as in `to[1]`; '' for the whole. */
  readonly field: string;

  constructor(statusCode: number, code: string, message: string, field = '') {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.field = field;
  }
}
