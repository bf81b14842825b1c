/**
 * The part of V8's heap that new objects go to. It grows with what is made and hardly ever shrinks, so what is made once,
 * while the program loads, would stay as some 20 MB that an idle service never needs again.
 */
import { setFlagsFromString } from 'node:v8';

/** V8 reads this flag whenever it thinks of growing. */
const growBy = (factor: 1 | 2) => setFlagsFromString(`--semi-space-growth-factor=${factor}`);

/** Keeps it as small as it is: slower for a service at work, not for one that starts. */
export const holdYoungHeap = (): void => growBy(1);
/** Lets it grow with the load, as V8 does by itself. */
export const letYoungHeapGrow = (): void => growBy(2);
