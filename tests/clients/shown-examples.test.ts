/** The code that Settings → API shows for sending, run as it is shown: each program's message is taken in and delivered. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { type ExampleName, examples } from '../../console/src/pages/settings/examples.ts';
import { machineHas, peerOrSkip } from '../support/peers.ts';
import { type ProgramResult, runProgram } from '../support/program.ts';
import { type TestAccount, TestService } from '../support/service.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const open = new AsyncDisposableStack();
let service: TestService;

before(async () => {
  service = open.use(await TestService.start());
});

after(() => open.disposeAsync());

type Run = (
  text: string,
  folder: TemporaryFolder,
  context: TestContext,
) => Promise<ProgramResult | undefined>;

const shell = async (text: string, folder: TemporaryFolder, env: Readonly<Record<string, string>> = {}) =>
  runProgram('sh', [await folder.write('example.sh', text)], { cwd: folder.path, env });

const runs: Readonly<Record<ExampleName, Run>> = {
  async nodemailer(text, folder) {
    // As after `npm install nodemailer`.
    await symlink(join(import.meta.dirname, '../../node_modules'), join(folder.path, 'node_modules'));
    return runProgram(process.execPath, [await folder.write('example.mjs', text)]);
  },

  async PHP(text, folder, context) {
    const php = peerOrSkip(context, 'php');
    if (php === undefined) return undefined;
    const autoload = 'usr/share/php/libphp-phpmailer/autoload.php';
    const phpMailer = [php.root, '/'].map((root) => join(root, autoload)).find((path) => existsSync(path));
    if (phpMailer === undefined) {
      context.skip('PHPMailer (libphp-phpmailer) is not there: delete .peers/php and fetch it anew');
      return undefined;
    }
    // As after `composer require phpmailer/phpmailer`.
    await symlink(dirname(phpMailer), join(folder.path, 'vendor'));
    return runProgram(php.command, ['-n', await folder.write('example.php', text)], {
      cwd: folder.path,
      env: php.env,
    });
  },

  async Python(text, folder, context) {
    if (!machineHas(context, 'python3')) return undefined;
    return runProgram('python3', [await folder.write('example.py', text)]);
  },

  async curl(text, folder, context) {
    return machineHas(context, 'curl') ? shell(text.replace('curl ', 'curl -sSf '), folder) : undefined;
  },

  async swaks(text, folder, context) {
    const swaks = peerOrSkip(context, 'swaks');
    if (swaks === undefined) return undefined;
    const path = `${dirname(swaks.command)}:${process.env['PATH'] ?? ''}`;
    return shell(text, folder, { ...swaks.env, PATH: path });
  },
};

/** The text with what its reader is to put in. */
function filledIn(name: ExampleName, { smtp, token }: TestAccount): string {
  const access = {
    host: '127.0.0.1',
    port: service.submissionPort,
    username: smtp.username,
    url: service.url,
  };
  return examples[name](access).replace('PASSWORD', smtp.password).replace('TOKEN', token);
}

for (const [name, run] of Object.entries(runs) as [ExampleName, Run][]) {
  test(`the example shown for ${name} sends a message`, async (context) => {
    await using folder = await temporaryFolder();
    const account = await service.createAccount(name.toLowerCase());
    const result = await run(filledIn(name, account), folder, context);
    if (result === undefined) return;
    assert.equal(result.code, 0, result.stdout + result.stderr);
    const [message] = await until(
      async () =>
        (
          await service.call<{
            messages: { state: string; recipient: string; subject: string; sender: string }[];
          }>(account, 'GET', '/api/messages')
        ).messages,
      (messages) => messages[0]?.state === 'delivered',
    );
    const { recipient, subject, sender } = message ?? {};
    assert.deepEqual([recipient, subject, sender], ['opened@simulator.test', 'Hello', 'shop@example.com']);
  });
}
