/** The HTTP API as the console calls it: with the session's cookie, and every refusal as one kind of error. */

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0 if no answer came. */
  readonly status: number;
  readonly code: string;
  /** The part of the request at fault, '' if none is to blame alone. */
  readonly field: string;

  constructor(status: number, code: string, message: string, field = '') {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

interface Refusal {
  readonly error?: { readonly code: string; readonly message: string; readonly field?: string };
}

/** Called when the session has ended. */
let onSignedOut = (): void => {};
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** @throws ApiError */
export async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: {
      // Says that one of our own pages asks, which no other site can.
      'aftersend-console': '1',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new ApiError(0, 'unreachable', cause instanceof Error ? cause.message : String(cause));
  });
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => ({}))) as T & Refusal;
  if (response.ok) return answer;
  const { code, message, field } = answer.error ?? { code: 'unknown', message: response.statusText };
  if (code === 'session-ended') onSignedOut();
  throw new ApiError(response.status, code, message, field);
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path);
export const post = <T>(path: string, body?: object): Promise<T> => call<T>('POST', path, body ?? {});
