/** The dialects there are: every file of `dialects/`. Adding one there is all that adding one takes. */
import { readdirSync } from 'node:fs';
import type { Dialect } from './dialects/contract/dialect.ts';

const folder = new URL('./dialects/', import.meta.url);

async function loadDialects(): Promise<ReadonlyMap<string, Dialect>> {
  const files = readdirSync(folder)
    .filter((name) => /\.[jt]s$/.test(name) && !name.endsWith('.d.ts'))
    .sort();
  const found = await Promise.all(
    files.map(async (file) => {
      const { dialect } = (await import(new URL(file, folder).href)) as { dialect: Dialect };
      return [dialect.name, dialect] as const;
    }),
  );
  return new Map(found);
}

export const dialects: ReadonlyMap<string, Dialect> = await loadDialects();

/** @throws when there is no such dialect: an endpoint's was checked when it was set */
export function dialectNamed(name: string): Dialect {
  const dialect = dialects.get(name);
  if (dialect === undefined) throw new Error(`no such dialect: ${name}`);
  return dialect;
}
