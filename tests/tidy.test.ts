/**
 * The rules of this code that no linter knows: who may import whom, what a file begins with, which names are taken.
 * Banned calls (clock, random, console, process, fetch) stand in .oxlintrc.json, each with its replacement.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const sources = globSync('{src,console/src,tests,bench,scripts,bin}/**/*.{ts,tsx,mjs}', { cwd: root }).sort();
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** Fails with all offences at once, one a line. */
function none(offences: readonly string[], rule: string): void {
  assert.equal(offences.length, 0, `${rule}\n  ${offences.join('\n  ')}`);
}

/**
 * What each room may import beside itself: rooms or single files under src/. A message's stations (accept, deliver,
 * inbound, track) meet in the store's contract, the events and the shared rooms, never in one another.
 */
const mayImport: Readonly<Record<string, string>> = {
  'main.ts': 'accounts cli config demo platform store/contract store/open.ts store/sqlite',
  cli: 'accounts compose.ts config deliver/classify.ts inbound mail platform store/contract store/move tokens/keys.ts users/people.ts',
  demo: 'accounts compose.ts config platform store/open.ts',
  'compose.ts':
    'accept accounts api config deliver domains events ground.ts inbound mail maintenance notices platform simulator statistics store/contract tokens track users webhooks',
  'ground.ts':
    'config deliver/retry.ts platform store/contract store/objects store/open.ts store/remember.ts tokens',
  config: '',
  events: '',
  platform: 'config/readers.ts',
  tokens: 'platform',
  mail: 'accept/draft.ts platform',
  accounts: 'accept/credentials.ts platform store/contract',
  domains: 'mail platform store/contract tokens',
  accept: 'config/readers.ts events mail platform store/contract tokens',
  deliver: 'config/readers.ts domains events mail platform store/contract tokens',
  inbound: 'config/readers.ts events mail platform store/contract tokens',
  track: 'api/app.ts events mail platform store/contract tokens',
  simulator: 'config/readers.ts mail platform tokens',
  'webhooks/dialects': 'events',
  webhooks: 'events platform store/contract tokens',
  users: 'accept/credentials.ts platform store/contract',
  api: 'accept accounts domains events mail platform statistics store/contract users webhooks',
  notices: 'accept/draft.ts platform store/contract',
  maintenance: 'platform store/contract',
  statistics: 'events mail platform store/contract',
  'store/contract': 'events',
  'store/conformance': 'events store/contract',
  'store/sql': 'events store/contract',
  'store/sqlite': 'events platform/folder-lock.ts store/contract store/sql',
  'store/postgres': 'config/database-url.ts events platform store/contract store/sql',
  'store/remember.ts': 'platform store/contract',
  'store/objects': 'platform store/contract',
  'store/open.ts': 'platform store/contract store/postgres store/sqlite',
  'store/move': 'platform store/contract store/postgres store/sql store/sqlite',
};

/** The most particular entry of `mayImport` that holds a file; undefined when its room is not in the table. */
function roomOf(file: string): string | undefined {
  return Object.keys(mayImport)
    .filter((room) => isIn(file, room))
    .sort((a, b) => b.length - a.length)[0];
}

function isIn(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function importsOf(file: string): string[] {
  const specifiers = read(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g);
  return [...specifiers].map((match) => relative(root, resolve(root, dirname(file), match[1] ?? '')));
}

test('a room imports only the rooms it may', () => {
  const offences = sources
    .filter((file) => file.startsWith('src/'))
    .flatMap((file) => {
      const room = roomOf(file.slice('src/'.length));
      if (room === undefined) return [`${file}: give its room a line in mayImport`];
      const allowed = [room, ...(mayImport[room] ?? '').split(' ')];
      return importsOf(file)
        .filter((target) => !allowed.some((place) => isIn(target, `src/${place}`)))
        .map((target) => `${file} imports ${target}`);
    });
  none(offences, 'The import law (docs/architecture.md) forbids:');
});

test('a file begins with what it is for', () => {
  const offences = sources.filter((file) => !/^(#!.*\n)?\/\*\*/.test(read(file)));
  none(offences, 'Begin with /** what the file is for and what it must never do */:');
});

test('a file is named for what it holds, in kebab-case', () => {
  const offences = sources.filter(
    (file) => !/^[a-z0-9./-]+$/.test(file) || /\b(utils?|common|helpers?|managers?|misc|shared)\b/.test(file),
  );
  none(offences, 'Rename after what is inside:');
});

test('nothing is left for later, kept from before, or silenced without a reason', () => {
  const banned = [
    [/\b(TODO|FIXME|XXX|HACK)\b/, 'do it, or open an issue'],
    [/\bformerly\b|\blegacy\b/i, 'say what is, not what was'],
    [/oxlint-disable(?!.* -- \S)|eslint-disable/, 'oxlint-disable-next-line RULE -- reason'],
    [/@ts-(ignore|nocheck|expect-error)/, 'make the types true'],
    [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{40}/, 'make keys in the test'],
  ] as const;
  const offences = sources
    .filter((file) => file !== 'tests/tidy.test.ts')
    .flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) =>
          banned
            .filter(([pattern]) => pattern.test(line))
            .map(([, instead]) => `${file}:${index + 1}: ${line.trim()} → ${instead}`),
        ),
    );
  none(offences, 'Not here:');
});

test('the time of day comes from the clock, also for a Date', () => {
  const offences = sources
    .filter((file) => file.startsWith('src/') && !file.startsWith('src/platform/'))
    .filter((file) => /\bnew Date\(\)|(?<!\w)Date\(\)/.test(read(file)));
  none(offences, 'new Date(clock.now()) instead of new Date():');
});

test('an error is logged as err, which alone pino writes with its message and stack', () => {
  const offences = sources
    .filter((file) => file.startsWith('src/'))
    .flatMap((file) =>
      [...read(file).matchAll(/\blog(?:ger)?\.\w+\(\s*\{[^}]*\berror\s*[,}]/g)]
        .filter(([call]) => !/\berr: error\s*[,}]$/.test(call))
        .map(([call]) => `${file}: ${call.replaceAll(/\s+/g, ' ')}`),
    );
  none(offences, '{ err: error } instead of { error }:');
});

test('migrations are numbered from 0001 without gaps', () => {
  const names = globSync('src/store/*/migrations/*.sql', { cwd: root }).sort();
  const folders = Map.groupBy(names, (name) => dirname(name));
  const offences = [...folders.values()].flatMap((files) =>
    files.filter((file, index) => !file.includes(`/${String(index + 1).padStart(4, '0')}-`)),
  );
  none(offences, 'Number by place:');
});

test('dependencies are pinned to exact versions', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const offences = ['dependencies', 'devDependencies', 'optionalDependencies']
    .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}: ${version}`);
  none(offences, 'npm install --save-exact:');
});

test('a link from one page of the documentation to another has an end', () => {
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root });
  const offences = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(resolve(root, dirname(page), target)))
      .map((target) => `${page} → ${target}`),
  );
  none(offences, 'No such file:');
});
