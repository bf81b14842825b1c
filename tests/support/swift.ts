/** OpenStack Swift with its S3 door, as Debian has it: an object store that nobody here wrote, and that checks signatures. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peer } from '../../scripts/peers.mjs';
import { Bucket } from '../../src/store/objects/s3.ts';
import { defaultObjectLimits, type ObjectPlace } from '../../src/store/objects/bodies.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { Printed } from './program.ts';

export interface Swift extends AsyncDisposable {
  /** A bucket in it that is there. */
  readonly place: ObjectPlace;
}

export async function startSwift({ root, env }: Peer): Promise<Swift> {
  const folder = mkdtempSync(join(tmpdir(), 'aftersend-swift-'));
  const own = join(root, 'usr/bin/python3');
  const script = join(import.meta.dirname, 'swift-server.py');
  const child = spawn(existsSync(own) ? own : '/usr/bin/python3', ['-B', script, folder], {
    env: { ...process.env, ...env },
  });
  const closed = once(child, 'close');
  const [stdout, stderr] = [new Printed(child.stdout), new Printed(child.stderr)];
  const [, port = ''] = await stdout.match(/listening (\d+)/).catch((error: Error) => {
    throw new Error(stderr.text, { cause: error });
  });
  const place: ObjectPlace = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: 'mail',
    prefix: 'aftersend/',
    region: 'us-east-1',
    accessKey: 'test:tester',
    secretKey: 'testing',
  };
  // A bucket is made by a PUT of nothing.
  await using bucket = new Bucket(place, {
    limits: defaultObjectLimits,
    clock: systemClock,
    random: systemRandom,
  });
  await bucket.put('', new Uint8Array());
  return {
    place,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}
