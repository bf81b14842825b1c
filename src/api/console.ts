/**
 * The web console: the built files of `console/`, from memory. They are the same for everybody and know nothing; what a
 * person sees comes from the API. No script, style or frame is taken from anywhere else.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './app.ts';
import { ApiError } from './errors.ts';

/** Every address of a page of the console: all are the one document, which then shows the right page. */
const pages = [
  '/',
  '/welcome',
  '/sign-in',
  '/first-steps',
  '/live',
  '/overview',
  '/messages',
  '/messages/:id',
  '/webhooks',
  '/webhooks/:id',
  '/templates',
  '/templates/:id',
  '/templates/:id/versions',
  '/domains',
  '/suppressions',
  '/suppressions/import',
  '/settings',
  '/users',
  '/audit',
  '/profile',
];

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  // What a template looks like; messages come in frames with a stricter policy of their own.
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface BuiltFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
}

/** Answers a browser that was led to an address of nobody's: the console says so there, in the reader's language. */
export type ShowLost = (request: FastifyRequest, reply: FastifyReply) => Buffer | undefined;

export function consoleRoutes(app: App, folder: string): ShowLost {
  const files = readBuilt(folder);
  const index = files.get('index.html');

  const showPage = async (request: FastifyRequest, reply: FastifyReply) => {
    if (index === undefined) {
      throw new ApiError(503, 'console-missing', 'The console is not built: start the service by npm start');
    }
    return showIndex(index, request, reply);
  };
  for (const page of pages) app.get(page, showPage);

  for (const [path, file] of files) {
    if (path === 'index.html') continue;
    app.get(`/${path}`, async (request, reply) => {
      // Their names change with what is in them.
      reply.header('cache-control', 'public, max-age=31536000, immutable');
      return send(file, request, reply);
    });
  }

  return (request, reply) => {
    const { method, url, headers } = request;
    const isPage = method === 'GET' && /\btext\/html\b/.test(headers.accept ?? '');
    if (index === undefined || !isPage || /^\/(api|v1)\//.test(url)) return undefined;
    return showIndex(index, request, reply.code(404));
  };
}

function showIndex(index: BuiltFile, request: FastifyRequest, reply: FastifyReply): Buffer {
  reply.header('content-security-policy', contentSecurityPolicy);
  reply.header('cache-control', 'no-cache');
  return send(index, request, reply);
}

function send({ type, plain, zipped }: BuiltFile, { headers }: FastifyRequest, reply: FastifyReply): Buffer {
  reply.type(type).header('vary', 'accept-encoding');
  if (!/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return plain;
  reply.header('content-encoding', 'gzip');
  return zipped;
}

/** By path below the folder; empty when nothing was built. */
function readBuilt(folder: string): ReadonlyMap<string, BuiltFile> {
  const names = readNames(folder).filter((name) => extname(name) in mediaTypes);
  return new Map(
    names.map((name) => {
      const plain = readFileSync(join(folder, name));
      const type = mediaTypes[extname(name)] ?? '';
      return [name.replaceAll('\\', '/'), { type, plain, zipped: gzipSync(plain) }];
    }),
  );
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
