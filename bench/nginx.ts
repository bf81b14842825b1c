/** nginx as Debian ships it, with its own one-pixel picture and nothing else, on one core. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer } from '../scripts/peers.mjs';
import { untilListening } from '../tests/support/listening.ts';
import { startProgram } from '../tests/support/program.ts';

/** @returns undefined if nginx can run here, otherwise why not */
export function nginxMissing(): string | undefined {
  return findPeer('nginx') === undefined ? 'nginx is not there (npm run bench:setup)' : undefined;
}

export async function startNginx(port: number): Promise<AsyncDisposable> {
  const peer = findPeer('nginx');
  if (peer === undefined) throw new Error('nginx is not there');
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-nginx-'));
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port));
  const child = startProgram(peer.command, ['-p', folder, '-e', 'error.log', '-c', 'nginx.conf'], {
    env: peer.env,
  });
  await untilListening(port);
  return {
    async [Symbol.asyncDispose]() {
      await child.end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder};`)
    .join(' ');
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary}
  server {
    listen 127.0.0.1:${port};
    location / { empty_gif; }
  }
}
`;
}
