/** `npm run bench:setup`: fetches the programs that are measured beside the service. */
import { installPeers } from './peers.mjs';
import { entry } from './toolchain.mjs';

await entry(() => installPeers({ forBench: true }));
