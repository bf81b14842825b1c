/** Answers for what no route takes: 405 with the methods a path does take, else 404, to browsers as a page. */
import type { App } from './app.ts';
import type { ShowLost } from './console.ts';
import { ApiError, notFound } from './errors.ts';

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Call before any route is added. @param showLost undefined where there is no console */
export function unknownRoutes(app: App, showLost?: ShowLost): void {
  const paths = new Map<string, KnownPath>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = paths.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const name of [method].flat()) known.methods.add(name);
    paths.set(url, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = [...paths.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((known) => [...known.methods]);
    const page = methods.length === 0 ? showLost?.(request, reply) : undefined;
    if (page !== undefined) return reply.send(page);
    if (methods.length === 0) throw notFound('path');
    reply.header('allow', [...new Set(methods)].join(', '));
    throw new ApiError(405, 'method-not-allowed', `${request.method} is not for this path`);
  });
}

/** `/a/:id/b` matches `/a/1/b`. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[^\w-]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('/')}$`);
}
