/**
 * Programs that nobody here wrote, to test and measure against: Debian's, unpacked into `.peers/`, one folder each with
 * what it needs, and never installed. So those that quarrel over being "the" mail server stand side by side, nothing
 * on the machine changes, and no root is needed. `npm run bench:setup` and `npm test` fetch what is missing.
 *
 * A program that cannot be had is no failure: who needs it asks `findPeer` and says that it is missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError, projectRoot } from './toolchain.mjs';

const peersFolder = join(projectRoot, '.peers');

/**
 * Each folder of `.peers/` by its Debian packages; their dependencies come with them unless the machine has them.
 * @type {Record<string, { packages: string[], programs: string[], benchOnly?: boolean }>}
 */
const peers = {
  postfix: { packages: ['postfix'], programs: ['postfix', 'smtp-sink', 'smtp-source'] },
  // The second is what swaks speaks TLS with.
  swaks: { packages: ['swaks', 'libnet-ssleay-perl'], programs: ['swaks'] },
  // The oldest version that the service works with.
  postgresql: { packages: ['postgresql-15'], programs: ['postgres', 'initdb'] },
  pgbouncer: { packages: ['pgbouncer'], programs: ['pgbouncer'] },
  // The second is what PHP sends mail with.
  php: { packages: ['php-cli', 'libphp-phpmailer'], programs: ['php'] },
  // The fonts are for Cyrillic: without any, a page has no letters to measure.
  chromium: {
    packages: ['chromium-headless-shell', 'fonts-dejavu-core'],
    programs: ['chromium-headless-shell'],
  },
  unbound: { packages: ['unbound'], programs: ['unbound'] },
  knot: { packages: ['knot'], programs: ['knotd'] },
  opendkim: { packages: ['opendkim'], programs: ['opendkim'] },
  exim: { packages: ['exim4-daemon-light'], programs: ['exim4'] },
  opensmtpd: { packages: ['opensmtpd'], programs: ['smtpd'] },
  // An object store with S3's protocol; it speaks XML by the second.
  swift: { packages: ['swift', 'python3-lxml'], programs: ['swift-ring-builder'] },
  wrk: { packages: ['wrk'], programs: ['wrk'], benchOnly: true },
  nginx: { packages: ['nginx'], programs: ['nginx'], benchOnly: true },
};

/** Haraka comes from npm. What it asks for of libmime has versions below it that no registry here has. */
const haraka = { dependencies: { Haraka: '3.1.1' }, overrides: { libmime: '5.3.6' } };
const harakaFolder = join(peersFolder, 'haraka');

/**
 * Fetches every peer that is not there yet; tells of those that cannot be had on standard error.
 * @param {{ forBench: boolean }} options
 */
export function installPeers({ forBench }) {
  if (forBench) installHaraka();
  const missing = Object.entries(peers).filter(
    ([name, { benchOnly = false }]) => (forBench || !benchOnly) && !existsSync(join(peersFolder, name)),
  );
  if (missing.length === 0) return;
  if (spawnSync('apt-get', ['--version']).status !== 0 || spawnSync('dpkg-deb', ['--version']).status !== 0) {
    const names = missing.map(([name]) => name).join(', ');
    process.stderr.write(
      `Not on Debian (no apt-get, dpkg-deb): without ${names}, their checks are skipped.\n`,
    );
    return;
  }
  process.stderr.write(
    `Fetching ${missing.map(([name]) => name).join(', ')} from Debian into .peers/, once …\n`,
  );
  for (const folder of ['apt/lists/partial', 'apt/cache/archives/partial']) {
    mkdirSync(join(peersFolder, folder), { recursive: true });
  }
  // Fails as a whole if one of the machine's package sources does; whether the packages are there shows below.
  spawnSync('apt-get', [...aptOptions, 'update']);
  for (const [name, { packages }] of missing) {
    try {
      unpack(name, packages);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      process.stderr.write(`${name} cannot be had, its checks are skipped: ${error.message}\n`);
    }
  }
}

/** Lists and downloads of our own: neither the machine's state nor root is touched or needed. */
const aptOptions = [
  '-qq',
  ...Object.entries({
    'Dir::State::lists': `${peersFolder}/apt/lists`,
    'Dir::Cache': `${peersFolder}/apt/cache`,
    'Debug::NoLocking': 'true',
    'APT::Sandbox::User': '',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
];

/**
 * Downloads and unpacks a peer beside its place and then moves it there: what is in place is whole.
 * @param {string} name
 * @param {readonly string[]} packages
 */
function unpack(name, packages) {
  const folder = mkdtempSync(join(peersFolder, `${name}-`));
  try {
    const install = [...aptOptions, '--print-uris', '--no-install-recommends', '-y', 'install', ...packages];
    const needed = run('apt-get', install, folder).matchAll(/^'[^']*' ([^_\s]+)_/gm);
    const wanted = new Set([...packages, ...[...needed].map((match) => match[1] ?? '')]);
    run('apt-get', [...aptOptions, 'download', ...wanted], folder);
    for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.deb'))) {
      run('dpkg-deb', ['-x', file, '.'], folder);
      rmSync(join(folder, file));
    }
    renameSync(folder, join(peersFolder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {string} its standard output
 */
function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0)
    throw new SetupError(stderr.trim().split('\n').pop() || `${command} exited with ${status}`);
  return stdout;
}

/** Beside its place and then moved there, without the scripts of its packages. */
function installHaraka() {
  if (existsSync(harakaFolder)) return;
  process.stderr.write('Fetching Haraka from npm into .peers/, once …\n');
  mkdirSync(peersFolder, { recursive: true });
  const folder = mkdtempSync(join(peersFolder, 'haraka-'));
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, ...haraka }));
    const flags = [
      '--omit=dev',
      '--omit=optional',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--silent',
    ];
    run('npm', ['install', ...flags], folder);
    renameSync(folder, harakaFolder);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`Haraka cannot be had, the bench leaves it out: ${error.message}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {string | undefined} Haraka's own folder, undefined if it is not there */
export function findHaraka() {
  const folder = join(harakaFolder, 'node_modules/Haraka');
  return existsSync(folder) ? folder : undefined;
}

/**
 * @typedef {object} Peer
 * @property {string} command the program's path
 * @property {string} root the folder that holds its tree (`usr/`, `etc/` …)
 * @property {Record<string, string>} env where it finds its libraries and modules
 */

/**
 * @param {string} program as in `smtp-sink`
 * @returns {Peer | undefined} undefined if it is not there
 */
export function findPeer(program) {
  const [name] = Object.entries(peers).find(([, { programs }]) => programs.includes(program)) ?? [];
  if (name === undefined) throw new Error(`${program} is in no peer of scripts/peers.mjs`);
  const root = join(peersFolder, name);
  // Debian's alternatives give php8.2 its short name as it is installed, which it is not here.
  const [command] = [
    // What stands there is the program itself; its namesake in usr/bin is a script that names it by its whole path.
    ...matching(root, `usr/lib/${name}`, new RegExp(`^${program}$`)),
    ...matching(root, 'usr/sbin', new RegExp(`^${program}$`)),
    ...matching(root, 'usr/bin', new RegExp(`^${program}[0-9.]*$`)),
    ...matching(root, 'usr/lib/postgresql', /^[0-9]+$/).flatMap((version) =>
      matching(version, 'bin', new RegExp(`^${program}$`)),
    ),
    // What the machine has installed itself, apt leaves out of what it would fetch.
    ...matching('/', 'usr/bin', new RegExp(`^${program}[0-9.]*$`)),
  ];
  if (command === undefined) return undefined;
  const triplets = [...matching(root, 'usr/lib', /-linux-/), ...matching(root, 'lib', /-linux-/)];
  const perl = [
    ...matching(root, 'usr/share', /^perl5?$/),
    ...matching(root, 'usr/share/perl', /^5\./),
    ...triplets.flatMap((lib) => [...matching(lib, 'perl5', /^5\./), ...matching(lib, 'perl', /^5\./)]),
  ];
  const env = {
    LD_LIBRARY_PATH: [
      ...triplets,
      ...triplets.flatMap((lib) => matching(lib, '.', /^pulseaudio$/)),
      ...matching(root, 'usr/lib', /^postfix$/),
      join(root, 'usr/lib'),
    ].join(':'),
    PERL5LIB: perl.join(':'),
    PYTHONPATH: matching(root, 'usr/lib/python3', /^dist-packages$/).join(':'),
    // Where fontconfig looks for fonts, and for what it is told of them.
    XDG_DATA_HOME: join(root, 'usr/share'),
    FONTCONFIG_PATH: join(root, 'etc/fonts'),
  };
  return { command, root, env };
}

/**
 * @param {string} root
 * @param {string} folder
 * @param {RegExp} name
 * @returns {string[]} paths of the entries whose name matches; none if there is no such folder
 */
function matching(root, folder, name) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((entry) => name.test(entry))
    .map((entry) => join(path, entry));
}
