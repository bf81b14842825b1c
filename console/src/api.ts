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
export const call = <T>(method: string, path: string, body?: object): Promise<T> =>
  body === undefined
    ? request<T>(method, path)
    : request<T>(method, path, { type: 'application/json', content: JSON.stringify(body) });

/** @throws ApiError */
export const postCsv = <T>(path: string, content: string | Blob): Promise<T> =>
  request<T>('POST', path, { type: 'text/csv', content });

/** The beginning of a text that may be long. @throws ApiError */
export async function getBeginning(
  path: string,
  maxBytes: number,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const { body } = await answerOf('GET', path);
  const decoder = new TextDecoder();
  const reader = body?.getReader();
  let text = '';
  let bytes = 0;
  let piece = await reader?.read();
  while (piece?.done === false && bytes <= maxBytes) {
    text += decoder.decode(piece.value.subarray(0, maxBytes - bytes), { stream: true });
    bytes += piece.value.length;
    piece = await reader?.read();
  }
  const isWhole = piece?.done !== false && bytes <= maxBytes;
  await reader?.cancel();
  return { text, isWhole };
}

interface Body {
  readonly type: string;
  readonly content: string | Blob;
}

async function request<T>(method: string, path: string, body?: Body): Promise<T> {
  const response = await answerOf(method, path, body);
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

/** An answer that is no refusal. */
async function answerOf(method: string, path: string, body?: Body): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: {
      // Says that one of our own pages asks, which no other site can.
      'aftersend-console': '1',
      ...(body !== undefined && { 'content-type': body.type }),
    },
    ...(body !== undefined && { body: body.content }),
  }).catch((cause: unknown) => {
    throw new ApiError(0, 'unreachable', cause instanceof Error ? cause.message : String(cause));
  });
  if (response.ok) return response;
  const answer = (await response.json().catch(() => ({}))) as Refusal;
  const { code, message, field } = answer.error ?? { code: 'unknown', message: response.statusText };
  // Without its cookie, as after signing out in another tab, a page is taken for a program that forgot its token.
  if (code === 'session-ended' || code === 'token-missing') onSignedOut();
  throw new ApiError(response.status, code, message, field);
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path);
export const post = <T>(path: string, body?: object): Promise<T> => call<T>('POST', path, body ?? {});
