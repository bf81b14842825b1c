/**
 * A message as `multipart/form-data`: fields become what they would be in JSON, files are kept beside them, and both
 * together are bounded like a JSON body. Nothing is written to disk.
 */
import multipart from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.ts';
import { ApiError } from '../errors.ts';

export interface Upload {
  readonly filename: string;
  readonly contentType: string;
  readonly content: Buffer;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Files of a multipart request; set by the request's own reader, never by what JSON says. */
    uploads: readonly Upload[];
  }
}

const maxFiles = 100;
const maxFields = 200;
const maxFieldNameBytes = 200;

/** @param bodyBytes of fields and files together */
export async function readMultipart(app: App, bodyBytes: number): Promise<void> {
  await app.register(multipart, {
    limits: {
      files: maxFiles,
      fields: maxFields,
      parts: maxFiles + maxFields,
      fieldNameSize: maxFieldNameBytes,
      fieldSize: bodyBytes,
      fileSize: bodyBytes,
    },
  });
  app.decorateRequest('uploads');
  app.addHook('preValidation', async (request) => {
    request.uploads = [];
    if (request.isMultipart()) await readParts(request, bodyBytes).catch(refused);
  });
}

/** The parser's own errors (no boundary, no end) carry no status; what it throws at its limits, and we, do. */
function refused(error: unknown): never {
  if ((error as { statusCode?: number }).statusCode !== undefined) throw error;
  throw new ApiError(400, 'request-malformed', 'The form is broken or not whole');
}

async function readParts(request: FastifyRequest, bodyBytes: number): Promise<void> {
  const fields: [string, string][] = [];
  const headers: [string, string][] = [];
  const uploads: Upload[] = [];
  let readBytes = 0;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      const content = await part.toBuffer();
      readBytes += content.byteLength;
      if (/^attachments(\[\d*\])?$/.test(part.fieldname)) {
        uploads.push({ filename: part.filename, contentType: part.mimetype, content });
      }
    } else {
      const value = String(part.value);
      readBytes += value.length;
      const header = /^smtp_headers\[(.+)\]$/s.exec(part.fieldname)?.[1];
      if (header === undefined) fields.push([part.fieldname, value]);
      else headers.push([header, value]);
    }
    if (readBytes > bodyBytes) {
      throw new ApiError(413, 'body-too-large', 'The body is larger than this route takes');
    }
  }
  request.body = { ...Object.fromEntries(fields), smtp_headers: Object.fromEntries(headers) };
  request.uploads = uploads;
}
