/** Witnesses and the monitor as a newcomer uses them: the README's third session as pasted, and SIGKILL at any point. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { toHex } from "#crypto";
import { parseSignatureLines } from "../../src/format/note.js";
import { formatAddCheckpoint } from "../../src/format/proof-request.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import {
  end,
  freePort,
  MAIN,
  PROJECT,
  run,
  startLog,
  startWitness,
  temporaryFolder,
  writ,
} from "../support/process.js";
import { readmeBlock } from "../support/readme.js";
import { SLOW } from "../support/runs.js";
import { GrowingLog, listOf } from "../support/witness.js";

/** A port with three free ones behind it. */
async function fourPorts(): Promise<number> {
  return (await freePort()) - 4;
}

test("the README's third session: a witnessed proof verified offline, then a forked log caught and proven", async () => {
  const folder = await temporaryFolder();
  const port = await fourPorts();
  await symlink(join(PROJECT, "deploy"), join(folder, "deploy"));
  const command = `'${process.execPath}' '${MAIN}'`;
  const shell = (text: string) =>
    run(
      folder,
      "bash",
      [
        "-euc",
        `npx() { shift; ${command} "$@"; }\n${text.replaceAll("127.0.0.1:6962", `127.0.0.1:${port}`)}`,
      ],
      {
        env: { ...process.env, WRIT_PORT: String(port), WRIT: `${process.execPath} ${MAIN}` },
      },
    );
  const first = await readmeBlock("session");
  const request = /cat > request\.json[^]*?\nEND\n/.exec(first)?.[0] ?? assert.fail();
  const key = /^npx writ keys new .*$/m.exec(first)?.[0] ?? assert.fail();
  try {
    const witnessed = await shell([key, request, await readmeBlock("session-witnessed")].join("\n"));
    assert.equal(witnessed.code, 0, witnessed.stderr);
    assert.match(
      witnessed.stdout,
      /VERIFIED: entry 2 of localhost\/witnessed.*\ncosigned by (w1|w2|w3), (w2|w3)/,
    );
    const names = (await readmeBlock("session-witnessed"))
      .split("\n")
      .filter((line) => /^(LOG|POLICY)=/.test(line));
    const forked = await shell([...names, await readmeBlock("session-forked")].join("\n"));
    assert.equal(forked.code, 1, forked.stderr);
    assert.match(forked.stdout, /one\.dsse\tlogged\t3\t[^]*another\.dsse\tlogged\t3\t/);
    assert.match(
      forked.stderr,
      /LOG_BEHIND: the witness w[123] holds what this log has signed[^]*has signed a checkpoint of 4 entries, and the database holds 3[^]*PROOF_INVALID/,
    );
    const monitored = await shell([...names, await readmeBlock("session-monitored")].join("\n"));
    assert.equal(monitored.code, 0, monitored.stderr);
    assert.match(
      monitored.stdout,
      /FINDING fork: [^]*MISBEHAVIOUR PROVEN: localhost\/witnessed has signed two histories/,
    );
  } finally {
    await shell("bash deploy/witnessed.sh stop");
  }
});

test("the third session's mistakes, each with its message", async () => {
  const folder = await temporaryFolder();
  await writ(folder, "init", "log", "--origin", "log.example/x");
  const key = (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim();
  await writ(folder, "witness", "init", "w", "--name", "w.example/w");
  const witness = (await readFile(join(folder, "w/witness.key.pub"), "utf8")).trim();
  await writeFile(join(folder, "homeless"), `log ${key}\nwitness W ${witness}\nquorum W\n`);
  await writeFile(
    join(folder, "none"),
    `log ${key}\nwitness W ${witness} http://127.0.0.1:1/\nquorum none\n`,
  );
  await writeFile(join(folder, "cyclic"), `log ${key}\ngroup A any B\ngroup B any A\nquorum A\n`);
  const serve = ["serve", "log", "--listen", `127.0.0.1:${await freePort()}`];
  const table: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["witness", "init", "w", "--name", "w.example/w"], 1, /LOG_EXISTS: w is not empty/],
    [["witness", "init", "v"], 2, /--name is missing/],
    [["witness", "init", "v", "--name", "a b"], 2, /--name: want a name such as/],
    [
      ["witness", "init", "v", "--name", "a", "--algorithm", "rsa"],
      2,
      /--algorithm: want both, ed25519, ml-dsa-44/,
    ],
    [["witness", "add-log", "w"], 2, /want a folder and a verifier key/],
    [["witness", "add-log", "w", "nonsense"], 1, /FILE_UNREADABLE: nonsense/],
    [["witness", "add-log", "w", witness], 1, /KEY_MALFORMED: w\.example\/w is the key of a witness/],
    [["witness", "add-log", "nowhere", key], 1, /LOG_MISSING: there is no witness in nowhere/],
    [["witness", "serve", "log"], 1, /LOG_MISSING: there is no witness in log/],
    [[...serve, "--require-witnesses"], 2, /wants a --witness-policy/],
    [[...serve, "--witness-policy", "absent"], 1, /FILE_UNREADABLE: absent/],
    [
      [...serve, "--witness-policy", "homeless"],
      1,
      /POLICY_MALFORMED: homeless: the witness W has no http URL/,
    ],
    [
      [...serve, "--witness-policy", "cyclic"],
      1,
      /POLICY_MALFORMED: policy line 2: "B" is not defined above/,
    ],
    [[...serve, "--witness-policy", "none", "--require-witnesses"], 1, /the quorum is none/],
    [[...serve, "--witness-policy", "none", "--require-witnesses-tier", "9"], 2, /want 0, 1, 2, 3, got 9/],
    [["monitor", "http://127.0.0.1:1"], 2, /want --key VKEY or --policy FILE/],
    [["monitor", "nonsense", "--key", key, "--once"], 2, /USAGE: .*URL/],
    [
      ["monitor", "http://127.0.0.1:1", "--key", key, "--alert", "colour=red"],
      2,
      /--alert: want all, or name=value/,
    ],
    [
      ["monitor", "http://127.0.0.1:1", "--key", key, "--webhook", "http://10.0.0.1/", "--state", "m"],
      1,
      /ADDRESS_REFUSED: 10\.0\.0\.1/,
    ],
    [["submit", "x", "--log", "http://127.0.0.1:1", "--wait", "proof"], 2, /--wait: want witnessed/],
    [["submit", "x", "--log", "http://127.0.0.1:1", "--key", key, "--policy", "none"], 1, /./],
  ];
  for (const [args, code, message] of table) {
    const answer = await writ(folder, ...args);
    assert.deepEqual(
      [answer.code === code || answer.code, message.test(answer.stderr)],
      [true, true],
      `${args.join(" ")}: ${answer.code} ${answer.stderr}`,
    );
  }
});

test("monitor: follows, tells of what it is asked for, ends on SIGTERM; --once for cron says 1 when there was a finding", async () => {
  const folder = await temporaryFolder();
  await writ(folder, "init", "log", "--origin", "log.example/watched");
  const key = (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim();
  const port = await freePort();
  const log = await startLog(folder, port);
  const url = `http://127.0.0.1:${port}`;
  const once = (...more: readonly string[]) =>
    writ(folder, "monitor", url, "--key", key, "--once", "--state", "m", ...more);
  const first = await once("--json", "--alert", "all", "--exec", "cat >> got.ndjson");
  assert.equal(first.code, 0, first.stderr);
  const lines = first.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; index: number });
  assert.deepEqual(
    lines.map(({ type, index }) => [type, index]),
    [
      ["match", 0],
      [undefined, undefined],
    ],
  );
  assert.deepEqual((await readFile(join(folder, "got.ndjson"), "utf8")).trim(), first.stdout.split("\n")[0]);
  const again = await once();
  assert.deepEqual(
    [again.stdout, again.code],
    ["clean: 1 entries, cosigned by nobody that was asked about (--policy names witnesses)\n", 0],
  );
  assert.equal(await end(log, "SIGTERM"), 0);
  const unread = await once("--patience", "0.1");
  assert.deepEqual(
    [unread.code, /^nothing could be read of http/.test(unread.stdout)],
    [3, true],
    unread.stdout,
  );
  const unasked = await writ(folder, "get", "0", "--log", url, "--key", key, "--patience", "0.1");
  assert.equal(unasked.code, 3, unasked.stderr);
  const silent = await once("--silence", "0.001", "--patience", "0.1");
  assert.equal(silent.code, 1);
  assert.match(
    silent.stdout,
    /FINDING silence: nothing that verifies has been had from log\.example\/watched/,
  );
});

const CYCLES = SLOW ? 200 : 6;

/** Extends what the witness holds by one's own history, one leaf at a time, until it stops answering. */
async function press(
  url: string,
  log: GrowingLog,
  cosigned: Map<number, Set<string>>,
  onAnswer: () => void,
): Promise<void> {
  let size = 0;
  for (;;) {
    const next = size + 1;
    const body = formatAddCheckpoint({
      oldSize: size,
      hashes: log.consistency(size, next),
      checkpoint: log.note(next),
    });
    const response = await fetch(`${url}/add-checkpoint`, { method: "POST", body });
    const text = await response.text();
    if (response.status === 200) {
      assert.ok(parseSignatureLines(new Uint8Array(Buffer.from(text))).length > 0);
      cosigned.set(next, (cosigned.get(next) ?? new Set()).add(toHex(log.root(next))));
      size = next;
    } else if (response.status === 409) size = Number(text);
    else assert.equal(response.status, 422, text);
    onAnswer();
    // The other history has won: nothing of ours will ever be cosigned again, and we go on trying.
    if (response.status === 422 && size > 400) size = 0;
  }
}

test(`${CYCLES} kills while two histories of one log press the witness: it never signs both`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-witness-kill-"));
  await writ(folder, "witness", "init", "w", "--name", "w.example/w", "--algorithm", "ed25519");
  const [one, other] = [new GrowingLog("log.example/k"), new GrowingLog("log.example/k", 3)];
  await writeFile(join(folder, "w/logs"), listOf(one.key));
  const cosigned = new Map<number, Set<string>>();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const port = await freePort();
    const witness = await startWitness(folder, "w", port);
    const gone = new Promise((resolve) => witness.once("exit", resolve));
    let answers = 0;
    const count = (): void => {
      if (++answers === 5 + ((cycle * 7) % 23)) witness.kill("SIGKILL");
    };
    const url = `http://127.0.0.1:${port}`;
    const pressing = [one, other, one, other].map((log) => press(url, log, cosigned, count));
    // They end when nobody answers any more, and with an assertion when something is wrong.
    for (const result of await Promise.allSettled(pressing))
      if (result.status === "rejected" && result.reason instanceof assert.AssertionError) throw result.reason;
    await gone;
  }
  for (const [size, roots] of cosigned) assert.equal(roots.size, 1, `two roots of ${size} were cosigned`);
  const sizes = [...cosigned.keys()].toSorted((a, b) => a - b);
  const histories = new Set(
    sizes
      .filter((size) => size > 3)
      .map((size) => (cosigned.get(size)?.has(toHex(one.root(size))) ? "one" : "other")),
  );
  assert.equal(histories.size, 1, "and all of it is one history");
  assert.ok(sizes.length > 10, formatVerifierKey(one.key));
});
