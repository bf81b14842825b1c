/** Parts of the console that few readers need: loaded when they are. A console that was replaced meanwhile says so. */
import { ApiError } from './api.ts';

/** @throws ApiError */
export async function lazily<Module>(load: () => Promise<Module>): Promise<Module> {
  return load().catch((cause: unknown) => {
    throw new ApiError(0, 'console-outdated', cause instanceof Error ? cause.message : String(cause));
  });
}
