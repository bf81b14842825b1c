/**
 * The least that could answer HTTP requests, as a program of its own: `node bench/bare-server.ts parse|pixel PORT`.
 * `parse` is fastify with nothing but its JSON parser, which answers as `POST /api/messages` does; `pixel` is node:http
 * with a picture.
 */
import { createServer } from 'node:http';
import { fastify } from 'fastify';

const [what, port] = process.argv.slice(2);
const listen = { host: '127.0.0.1', port: Number(port) };

if (what === 'parse') {
  let id = 0;
  const app = fastify();
  app.post<{ Body: { to: string[] } }>('/api/messages', async ({ body }, reply) => {
    id += 1;
    reply.code(201);
    return { id, messages: body.to.map((recipient) => ({ id, recipient })) };
  });
  await app.listen(listen);
} else {
  const pixel = Buffer.from('R0lGODlhAQABAPAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');
  createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'image/gif', 'content-length': pixel.length }).end(pixel);
  }).listen(listen);
}
