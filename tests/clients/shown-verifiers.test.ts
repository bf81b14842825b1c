/**
 * The code that the console shows for checking signatures, run as it is shown, in each language that the machine has: it believes a
 * real request, with the old secret and the new one after a rotation, and nothing else.
 */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { type VerifierName, verifiers } from '../../console/src/pages/webhook/verifiers.ts';
import { machineHas, peerOrSkip } from '../support/peers.ts';
import { type ReceivedRequest, TestReceiver } from '../support/receiver.ts';
import { runProgram } from '../support/program.ts';
import { TestService } from '../support/service.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

/** A request as a verifier is asked of it. */
interface Case {
  readonly name: string;
  readonly id: string;
  readonly time: string;
  readonly signature: string;
  readonly body: string;
  readonly secret: string;
  readonly valid: boolean;
}

const open = new AsyncDisposableStack();
let cases: readonly Case[];

before(async () => {
  const receiver = open.use(await TestReceiver.start());
  const service = open.use(await TestService.start({ AFTERSEND_WEBHOOK_ALLOW: '127.0.0.0/8' }));
  const account = await service.createAccount('acme');
  const hook = { url: receiver.url, dialect: 'aftersend', batch: { age_seconds: 0 } };
  const { id, secret } = await service.call<{ id: number; secret: string }>(
    account,
    'POST',
    '/api/webhooks',
    hook,
  );
  const rotated = await service.call<{ secret: string }>(account, 'POST', `/api/webhooks/${id}/secret`, {});
  await service.call(account, 'POST', '/api/messages', {
    from: 'shop@example.com',
    to: ['delivered@simulator.test'],
    subject: 'Ваш заказ № 42',
    text: 'Спасибо',
  });
  const request = await receiver.request(({ body }) => body.includes('Ваш заказ'));
  assert.match(String(request.headers['webhook-signature']), /^v1,\S+ v1,\S+$/, 'old and new sign together');
  cases = casesOf(request, secret, rotated.secret);
});

after(() => open.disposeAsync());

function casesOf({ headers, body }: ReceivedRequest, old: string, fresh: string): readonly Case[] {
  const header = (name: string) => String(headers[name]);
  const time = header('webhook-timestamp');
  const real = {
    id: header('webhook-id'),
    time,
    signature: header('webhook-signature'),
    body,
    secret: fresh,
    valid: true,
  };
  const other = `whsec_${Buffer.from('a secret of somebody else').toString('base64')}`;
  return [
    { ...real, name: 'as it came' },
    { ...real, name: 'with the old secret', secret: old },
    { ...real, name: 'another body', body: `${body} `, valid: false },
    { ...real, name: 'another id', id: `${real.id}0`, valid: false },
    { ...real, name: 'another secret', secret: other, valid: false },
    { ...real, name: 'another time', time: `${Number(time) + 1}`, valid: false },
    { ...real, name: 'an old time', time: `${Number(time) - 301}`, valid: false },
    { ...real, name: 'no time', time: '', valid: false },
    { ...real, name: 'no signature', signature: '', valid: false },
    { ...real, name: 'a signature that is none', signature: 'v1, v1 v2,abc é', valid: false },
  ];
}

/** Each runs the shown code on all cases, which `cases.json` holds, and prints `true` or `false` for each, a line each. */
type Run = (folder: TemporaryFolder, context: TestContext) => Promise<string | undefined>;

const json = () => JSON.stringify(cases);

async function printed(
  folder: TemporaryFolder,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  await folder.write('cases.json', json());
  const { code, stdout, stderr } = await runProgram(command, args, { cwd: folder.path, env });
  assert.equal(code, 0, stderr);
  return stdout;
}

const runs: Readonly<Record<VerifierName, Run>> = {
  async 'Node.js'(folder) {
    await folder.write('verify.mjs', verifiers['Node.js']);
    const main = await folder.write(
      'main.mjs',
      `import { readFileSync } from 'node:fs';
      import { isFromAftersend } from './verify.mjs';
      for (const { id, time, signature, body, secret } of JSON.parse(readFileSync('cases.json', 'utf8'))) {
        const headers = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature };
        console.log(isFromAftersend(headers, Buffer.from(body), secret));
      }`,
    );
    return printed(folder, process.execPath, [main]);
  },

  async PHP(folder, context) {
    const php = peerOrSkip(context, 'php');
    if (php === undefined) return undefined;
    await folder.write('verify.php', verifiers.PHP);
    const main = await folder.write(
      'main.php',
      `<?php
      require 'verify.php';
      foreach (json_decode(file_get_contents('cases.json'), true) as $case) {
        $server = ['HTTP_WEBHOOK_ID' => $case['id'], 'HTTP_WEBHOOK_TIMESTAMP' => $case['time'],
          'HTTP_WEBHOOK_SIGNATURE' => $case['signature']];
        echo is_from_aftersend($server, $case['body'], $case['secret']) ? "true\\n" : "false\\n";
      }`,
    );
    return printed(folder, php.command, ['-n', '-d', 'error_reporting=E_ALL', main], php.env);
  },

  async Python(folder, context) {
    if (!machineHas(context, 'python3')) return undefined;
    await folder.write('verify.py', verifiers.Python);
    const main = await folder.write(
      'main.py',
      [
        'import json',
        'from verify import is_from_aftersend',
        'for case in json.load(open("cases.json", encoding="utf-8")):',
        '    headers = {"webhook-id": case["id"], "webhook-timestamp": case["time"],',
        '               "webhook-signature": case["signature"]}',
        '    print(str(is_from_aftersend(headers, case["body"].encode(), case["secret"])).lower())',
        '',
      ].join('\n'),
    );
    return printed(folder, 'python3', [main], { PYTHONDONTWRITEBYTECODE: '1' });
  },

  async Go(folder, context) {
    if (!machineHas(context, 'go', 'version')) return undefined;
    await folder.write('go.mod', 'module aftersend\n\ngo 1.19\n');
    await folder.write('verify.go', verifiers.Go.replace('package aftersend', 'package main'));
    await folder.write(
      'main.go',
      `package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	var cases []struct{ Id, Time, Signature, Body, Secret string }
	text, _ := os.ReadFile("cases.json")
	if err := json.Unmarshal(text, &cases); err != nil {
		panic(err)
	}
	for _, c := range cases {
		header := http.Header{}
		header.Set("Webhook-Id", c.Id)
		header.Set("Webhook-Timestamp", c.Time)
		header.Set("Webhook-Signature", c.Signature)
		fmt.Println(IsOurs(header, []byte(c.Body), c.Secret))
	}
}
`,
    );
    const offline = {
      GOFLAGS: '-mod=mod',
      GOPROXY: 'off',
      GOCACHE: `${folder.path}/cache`,
      GO111MODULE: 'on',
    };
    return printed(folder, 'go', ['run', '.'], offline);
  },

  async Ruby(folder, context) {
    if (!machineHas(context, 'ruby')) return undefined;
    await folder.write('verify.rb', verifiers.Ruby);
    const main = await folder.write(
      'main.rb',
      `require "json"
require_relative "verify"
JSON.parse(File.read("cases.json", encoding: "utf-8")).each do |c|
  env = { "HTTP_WEBHOOK_ID" => c["id"], "HTTP_WEBHOOK_TIMESTAMP" => c["time"], "HTTP_WEBHOOK_SIGNATURE" => c["signature"] }
  puts from_aftersend?(env, c["body"], c["secret"])
end
`,
    );
    return printed(folder, 'ruby', [main]);
  },

  async Java(folder, context) {
    if (!machineHas(context, 'java')) return undefined;
    await folder.write('Aftersend.java', verifiers.Java);
    // Java reads no JSON by itself: a field a line, in base64.
    const fields = cases.flatMap(({ id, time, signature, body, secret }) => [
      id,
      time,
      signature,
      body,
      secret,
    ]);
    await folder.write('cases.txt', fields.map((field) => Buffer.from(field).toString('base64')).join('\n'));
    await folder.write(
      'Main.java',
      `import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.Base64;

public class Main {
    public static void main(String[] args) throws Exception {
        String[] lines = Files.readString(Path.of("cases.txt")).split("\\n", -1);
        for (int at = 0; at + 4 < lines.length; at += 5) {
            System.out.println(Aftersend.isOurs(text(lines[at]), text(lines[at + 1]), text(lines[at + 2]),
                Base64.getDecoder().decode(lines[at + 3]), text(lines[at + 4])));
        }
    }
    static String text(String line) { return new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8); }
}
`,
    );
    const compiled = await runProgram('javac', ['Main.java', 'Aftersend.java'], { cwd: folder.path });
    assert.equal(compiled.code, 0, compiled.stderr);
    return printed(folder, 'java', ['-cp', folder.path, 'Main']);
  },
};

for (const [name, run] of Object.entries(runs)) {
  test(`the code shown for ${name} believes what we sent, and nothing else`, async (context) => {
    await using folder = await temporaryFolder();
    const output = await run(folder, context);
    if (output === undefined) return;
    const said = output.trimEnd().split('\n');
    assert.deepEqual(
      cases.map(({ name }, index) => `${name}: ${said[index]}`),
      cases.map(({ name, valid }) => `${name}: ${valid}`),
    );
  });
}
