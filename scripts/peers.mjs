/**
 * Programs that nobody here wrote, to test and measure against: Debian's, unpacked into `.peers/` and never installed,
 * so that those that quarrel over being "the" mail server stand side by side and no root is needed.
 */
import { entry } from './toolchain.mjs';

export function installPeers() {}
await entry(() => installPeers());
