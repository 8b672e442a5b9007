/** The commands about records, against a log in a process of its own: searched, traced, drawn, revoked, indexed again. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { end, freePort, MAIN, run, startLog, temporaryFolder, writ } from "../support/process.js";

test("the demo plays against a running log, and everything in it can be found, traced, drawn and judged", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const url = `http://127.0.0.1:${port}`;
  const at = ["--log", url, "--key", "log/keys/log.key.pub"];
  const demo = await writ(folder, "demo", "--registrar", "log/keys/registrar.key", "--out", "drawn", ...at);
  assert.equal(demo.code, 0, demo.stderr);
  assert.match(demo.stdout, /AUTHORIZED: wire\.transfer[^]*All of it came out as it must\./);
  assert.match(await readFile(join(folder, "drawn/cleanup.svg"), "utf8"), /<svg/);
  const again = await writ(
    folder,
    "verify",
    "drawn/wire.bundle.json",
    "--key",
    "log/keys/log.key.pub",
    "--json",
  );
  assert.equal((JSON.parse(again.stdout) as { verdict: string }).verdict, "AUTHORIZED");

  const search = await writ(
    folder,
    "search",
    "--outcome",
    "executed",
    "--type",
    "execution-receipt",
    "--all",
    "--json",
    ...at,
  );
  const { entries } = JSON.parse(search.stdout) as { entries: { index: number; record_id: string }[] };
  assert.ok(entries.length > 80);
  const [first] = entries;
  assert.ok(first);
  const few = await writ(folder, "search", "--type", "fact", "--limit", "2", "--desc", ...at);
  assert.match(few.stdout, /^#\d+ {2}fact .*\n#\d+ {2}fact .*\n2 found; complete up to size \d+\n$/);
  assert.match(few.stderr, /hint: there is more: --cursor desc-/);

  const id = (
    JSON.parse(await readFile(join(folder, "drawn/wire.bundle.json"), "utf8")) as { subject: string }
  ).subject;
  const files = ["--svg", "a.svg", "--mermaid", "a.mmd", "--out", "a.json"];
  const traced = await writ(folder, "trace", id, ...files, ...at);
  assert.equal(traced.code, 0, traced.stdout + traced.stderr);
  assert.match(traced.stdout, /\nAUTHORIZED \([^\n]*\)\n\nAUTHORIZED: wire\.transfer/);
  assert.match(await readFile(join(folder, "a.mmd"), "utf8"), /^---\ntitle: .*\n---\nflowchart TD\n/);
  const tiles = ["trace", id, "--from-tiles", url, "--key", "log/keys/log.key.pub", "--json"];
  const own = await writ(folder, ...tiles);
  assert.equal((JSON.parse(own.stdout) as { verdict: string }).verdict, "AUTHORIZED");
  const ahead = await writ(folder, ...tiles, "--as-of", "9999999");
  assert.deepEqual([ahead.code, JSON.parse(ahead.stdout).error.code], [1, "SIZE_UNPUBLISHED"]);

  const impact = await writ(folder, "impact", "db.drop.nothing", ...at);
  assert.match(impact.stdout, /^0 relied on it, of \d+ entries; nothing in the log goes by that name\n$/);
  const relied = await writ(folder, "impact", String(first.index), "--json", ...at);
  assert.equal(relied.code, 0);
  await end(log, "SIGTERM");

  const reindexed = await writ(folder, "reindex", "log", "--json");
  assert.ok((JSON.parse(reindexed.stdout) as { rows: number }).rows > 10_000);
  assert.equal((await writ(folder, "fsck", "log")).code, 0);
});

test("a key is revoked, and what it says is refused; the registrars of the policy go by the log's own key", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  const registrar = ["--registrar", "log/keys/registrar.key"];
  await writ(folder, "keys", "new", "a.key", "--name", "owner://a");
  const made = await writ(
    folder,
    "keys",
    "register",
    "a.key.pub",
    "--role",
    "owner",
    "--json",
    ...registrar,
    ...at,
  );
  const { key_id: keyId } = JSON.parse(made.stdout) as { key_id: string };
  const sign = (n: number) =>
    writ(
      folder,
      "sign",
      "--type",
      "policy",
      "--set",
      `policy_digest=d${n}`,
      "policy_version=1",
      "owner=owner://a",
      "effective_from=now",
      "--key",
      "a.key",
      "-o",
      `p${n}.dsse`,
    );
  const submit = async (n: number): Promise<string> => {
    assert.equal((await sign(n)).code, 0);
    return (await writ(folder, "submit", `p${n}.dsse`, ...at)).stdout;
  };
  assert.match(await submit(1), /\tlogged\t2\t/);
  assert.match(
    (await writ(folder, "keys", "revoke", keyId, "--reason", "lost", "--suspend", ...registrar, ...at))
      .stdout,
    /^suspended/,
  );
  assert.match(await submit(2), /KEY_DISTRUSTED/);
  assert.match(
    (await writ(folder, "keys", "revoke", keyId, "--reason", "found", "--resume", ...registrar, ...at))
      .stdout,
    /^resumed/,
  );
  assert.match(await submit(3), /\tlogged\t/);
  const list = await writ(folder, "keys", "list", "--json", ...at);
  const root = (JSON.parse(list.stdout) as { index: number; key_id: string }[]).find(
    ({ index }) => index === 0,
  );
  assert.ok(root);
  const logsOwn = ["--registrar", "log/keys/log.key"];
  const cut = await writ(
    folder,
    "keys",
    "revoke",
    root.key_id,
    "--reason",
    "stolen",
    "--effective-index",
    "1",
    ...logsOwn,
    ...at,
  );
  assert.match(cut.stdout, /^revoked/, cut.stderr);
  await writ(folder, "keys", "new", "b.key", "--name", "owner://b");
  const refused = await writ(folder, "keys", "register", "b.key.pub", "--role", "owner", ...registrar, ...at);
  assert.match(refused.stderr, /KEY_DISTRUSTED/);
  assert.equal(
    (await writ(folder, "keys", "register", "b.key.pub", "--role", "owner", ...logsOwn, ...at)).code,
    0,
  );
  assert.match(await submit(4), /\tlogged\t/, "registered before the theft, it is believed still");
  await end(log, "SIGTERM");
  assert.equal((await writ(folder, "fsck", "log")).code, 0);
});

test("what is shown of other people's records moves no terminal, and a reader may stop reading", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  await writ(folder, "keys", "new", "a.key", "--name", "agent://a");
  await writ(
    folder,
    "keys",
    "register",
    "a.key.pub",
    "--role",
    "agent",
    "--registrar",
    "log/keys/registrar.key",
    ...at,
  );
  const evil = "\u001b[2J\u001b[HAUTHORIZED\r\n\u2028\u202e";
  const request = {
    type: "action-request",
    delegator_id: evil,
    action_type: evil,
    target: { x: evil },
    constraints: { [evil]: evil },
    policy_version: "1",
    requested_at: "2026-05-01T12:00:00Z",
  };
  await writeFile(join(folder, "r.json"), JSON.stringify(request));
  assert.equal((await writ(folder, "submit", "r.json", "--sign", "a.key", ...at)).code, 0);
  for (const args of [["trace", "2"], ["search"], ["get", "2"], ["impact", "2"]]) {
    const { stdout, stderr } = await writ(folder, ...args, ...at);
    assert.ok(
      !["\u001b", "\r", "\u2028", "\u202e"].some((char) => (stdout + stderr).includes(char)),
      args.join(" "),
    );
  }
  const piped = await run(folder, "bash", [
    "-c",
    `'${process.execPath}' '${MAIN}' search ${at.join(" ")} | head -c 1`,
  ]);
  assert.doesNotMatch(piped.stderr, /EPIPE|Unhandled/);
  assert.equal((await writ(folder, "keys", "nonsense")).code, 2);
  await end(log, "SIGTERM");
});
