/** Status on the command line: the README's fourth session as pasted, what each verb answers, and a race with SIGKILL in it. */
import assert from "node:assert/strict";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { LogClient, ProcessMemory, WritError } from "../../src/client/index.js";
import { formatSigningKey, parseSigningKey } from "../../src/format/vkey.js";
import { Stage } from "../../src/demo/stage.js";
import { consume, grant, granted, revoke } from "../support/grants.js";
import { signerOf } from "../support/log.js";
import { end, freePort, MAIN, PROJECT, run, startLog, temporaryFolder, writ } from "../support/process.js";
import { readmeBlock } from "../support/readme.js";
import { SLOW } from "../support/runs.js";

test("the README's fourth session: granted, used, refused, taken back; a stock client sees it and the gateway stops", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  await symlink(join(folder, "log"), join(folder, "writ-data"));
  await symlink(join(PROJECT, "deploy"), join(folder, "deploy"));
  const first = (await readmeBlock("session")).split("\ncat >")[0] ?? "";
  const blocks = await Promise.all(["session-trace", "session-grant"].map(readmeBlock));
  const refused = `${(await readmeBlock("session-refused")).trim()} && exit 9`;
  const text = [first, ...blocks, refused, await readmeBlock("session-revoked")].join("\n");
  const { code, stdout, stderr } = await run(folder, "bash", [
    "-euc",
    `npx() { shift; '${process.execPath}' '${MAIN}' "$@"; }\n${text.replaceAll("127.0.0.1:6962", `127.0.0.1:${port}`)}`,
  ]);
  assert.equal(code, 0, stderr);
  const [entry] = /entry \d+: valid/.exec(stdout) ?? assert.fail(stdout);
  const index = entry.split(/[ :]/)[1];
  assert.match(stderr, /GRANT_USED.*its one use, the last at entry \d+/);
  assert.match(stdout, new RegExp(`entry ${index}: invalid\nand so says a stock client`));
  assert.match(
    stdout,
    /revoked as of \d+, by entry \d+ \(revocation by acme:\/\/treasury: the invoice was withdrawn\)/,
  );
  assert.match(
    stdout,
    /acting: the use of the grant is entry \d+\nstopped: GRANT_REVOKED.*\nthe receipt is entry \d+\n/,
  );
  assert.equal(await end(log, "SIGTERM"), 0);
});

/** A running log with the clean-up's parties in it, and their keys in files. */
async function stand() {
  const folder = await temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writ(folder, "init", "log", "--origin", "log.example/status");
  const key = (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim();
  const registrarKey = parseSigningKey(
    (await readFile(join(folder, "log/keys/registrar.key"), "utf8")).trim(),
  );
  const stage = new Stage(granted, {
    start: Date.now(),
    tag: "",
    seed: (party) => new Uint8Array(32).fill(party.length),
    registrar: { id: registrarKey.name, signer: signerOf(registrarKey) },
    logOrigin: "log.example/status",
  });
  return { folder, port, url, key, stage };
}

test("status, suspend, resume, revoke and consume say what they did, with exit codes and JSON to build on", async () => {
  const { folder, port, url, key, stage } = await stand();
  const log = await startLog(folder, port);
  const client = new LogClient({ url, key });
  await stage.play((statement) => client.submit(statement));
  for (const party of ["authority", "executor"])
    await writeFile(join(folder, `${party}.key`), formatSigningKey(stage.key(party)));
  const at = ["--log", url, "--key", key];
  const id = stage.id("child-grant");
  const say = (...args: readonly string[]) => writ(folder, ...args, ...at);
  const active = await say("status", id);
  assert.deepEqual([active.code, /^active as of \d+\n$/.test(active.stdout)], [0, true], active.stdout);
  const sign = ["--sign", "authority.key", "--reason", "a test"];
  const suspended = await say("suspend", id, ...sign, "--json");
  assert.equal(suspended.code, 0, suspended.stderr);
  const said = JSON.parse(suspended.stdout) as Record<string, unknown>;
  assert.deepEqual([said["effective"], said["state"], said["target"]], [true, "suspended", id]);
  const blocked = await say("consume", id, "--sign", "executor.key");
  assert.deepEqual([blocked.code, /GRANT_SUSPENDED/.test(blocked.stderr)], [1, true], blocked.stderr);
  assert.equal((await say("status", id)).code, 1);
  assert.equal((await say("resume", id, ...sign)).code, 0);
  const used = await say("consume", id, "--sign", "executor.key", "--json");
  assert.equal(used.code, 0, used.stderr);
  const consumed = await say("status", id, "--json");
  const { decided_by: by, as_of: asOf } = JSON.parse(consumed.stdout) as {
    decided_by: number[];
    as_of: number;
  };
  assert.deepEqual(by, [(JSON.parse(used.stdout) as { index: number }).index]);
  const before = await say("status", id, "--as-of", String(asOf - 1));
  assert.match(before.stdout, /^active as of/);
  const idle = await say("suspend", id, ...sign);
  assert.deepEqual([idle.code, /it had no effect/.test(idle.stdout)], [1, true], "a used grant stays so");
  const revoked = await say("revoke", id, ...sign, "--cascade");
  assert.match(revoked.stdout, /revoked as of/);
  for (const [args, code, words] of [
    [["revoke", id, "--reason", "x"], 2, /--sign is missing/],
    [["revoke", id, "--sign", "authority.key"], 2, /--reason is missing/],
    [["revoke", "nonsense", ...sign], 1, /REF_MALFORMED/],
    [["revoke", "999", ...sign], 1, /ENTRY_NOT_FOUND/],
    [["status"], 2, /want one reference/],
    [["status", id, "--as-of", "9999"], 1, /SIZE_UNPUBLISHED/],
    [["consume", "0", "--sign", "executor.key"], 2, /want a grant, 0 is of the type log-policy/],
  ] as const) {
    const answer = await say(...args);
    assert.deepEqual(
      [answer.code, words.test(answer.stderr)],
      [code, true],
      `${args.join(" ")}: ${answer.stderr}`,
    );
  }
  await client.close();
  assert.equal(await end(log, "SIGTERM"), 0);
});

const RACES = SLOW ? 30 : 3;

test(`${RACES} times revocation against use with SIGKILL in between: one order, the log's, and both sides are told it`, async () => {
  const { folder, port, url, key, stage } = await stand();
  const memory = new ProcessMemory();
  let log = await startLog(folder, port);
  const setUp = new LogClient({ url, key, memory });
  await stage.play((statement) => setUp.submit(statement));
  await setUp.close();
  for (let n = 0; n < RACES; n++) {
    const one = grant(stage, `race-${n}`, undefined, {
      expiry: new Date(Date.now() + 600_000).toISOString(),
    });
    const client = new LogClient({ url, key, memory, patienceMs: 30_000 });
    await client.submit(one.submission.bytes);
    const told = (statement: Uint8Array) =>
      client.submit(statement).then(
        ({ index }) => index,
        (error: unknown) =>
          error instanceof WritError ? (error.facts.refusal ?? error.code) : String(error),
      );
    // Both are sent again and again until the log, killed in between, has answered.
    const racing = Promise.all([
      told(consume(stage, one.ref, `race-${n}`).bytes),
      told(revoke(stage, one.ref).bytes),
    ]);
    const gone = new Promise((resolve) => log.once("exit", resolve));
    log.kill("SIGKILL");
    await gone;
    const fsck = await writ(folder, "fsck", "log");
    assert.match(fsck.stdout, /^clean/, fsck.stdout);
    log = await startLog(folder, port);
    const [used, taken] = await racing;
    assert.equal(typeof taken, "number", String(taken));
    if (typeof used === "number") assert.ok(used < Number(taken), `used at ${used}, taken back at ${taken}`);
    else assert.equal(used, "GRANT_REVOKED");
    const { state, decidedBy } = await client.status(one.ref.id);
    assert.deepEqual([state, decidedBy.map(({ index }) => index)], ["revoked", [taken]]);
    await client.close();
  }
  assert.equal(await end(log, "SIGTERM"), 0);
  assert.match((await writ(folder, "fsck", "log")).stdout, /^clean/);
});
