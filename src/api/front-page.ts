/** `GET /`: tells a person with a browser what runs here and where to go on. Says nothing about anybody's mail. */
import { createHash } from 'node:crypto';
import type { App } from './app.ts';

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1c2733; }
code { background: #eef1f4; padding: 0.1em 0.3em; border-radius: 3px; }
a { color: #0b5cad; }
@media (prefers-color-scheme: dark) {
  body { background: #12181f; color: #dfe6ec; } code { background: #232c36; } a { color: #7db8f0; }
}
`;

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Aftersend</title>
<style>${style}</style>
</head>
<body>
<h1>Aftersend</h1>
<p>This is a transactional e-mail service. Programs hand it mail, it delivers the mail and tells them what became of
it.</p>
<ul>
<li><a href="/api/openapi.json">The API, as an OpenAPI 3.1 document</a>; it takes
<code>Authorization: Bearer TOKEN</code>.</li>
<li><a href="/healthz">Is it up?</a> <a href="/readyz">Can it take mail?</a></li>
<li>How to use and run it is written in the project's <code>README.md</code> and <code>docs/</code>.</li>
</ul>
</body>
</html>
`;

const styleHash = createHash('sha256').update(style).digest('base64');

export function frontPage(app: App): void {
  app.get('/', async (_request, reply) => {
    reply.header(
      'content-security-policy',
      `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    reply.type('text/html; charset=utf-8');
    return page;
  });
}
