/** Approving and rejecting on the command line, and every form that a judged bundle is drawn in. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { wireTransfer } from "../../src/demo/stories.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { bundleBytes } from "../../src/trace/bundle.js";
import { logKey } from "../support/log.js";
import { end, freePort, startLog, temporaryFolder, writ } from "../support/process.js";
import { bundleOf, play } from "../support/story.js";

test("an approver is shown exactly what is asked, and signs a yes or a no over it; nobody is approved for by accident", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  await writ(folder, "init", "log", "--origin", "log.example/approve");
  const log = await startLog(folder, port);
  const key = (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim();
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", key];
  for (const [name, role] of [
    ["agent", "agent"],
    ["boss", "approver"],
  ] as const) {
    await writ(folder, "keys", "new", `${name}.key`, "--name", `user://${name}`);
    const registered = await writ(
      folder,
      "keys",
      "register",
      `${name}.key.pub`,
      "--registrar",
      "log/keys/registrar.key",
      "--role",
      role,
      ...(role === "approver" ? ["--approver-role", "finance"] : []),
      ...at,
    );
    assert.equal(registered.code, 0, registered.stderr);
  }
  const request = {
    type: "action-request",
    v: 1,
    issuer: "user://agent",
    issued_at: "2026-05-01T12:00:00Z",
    agent_id: "user://agent",
    delegator_id: "user://boss",
    action_type: "wire.transfer",
    target: { account: "DE02" },
    parameters: { amount: "41872.14 USD" },
    constraints: {},
    policy_version: "1",
    requested_at: "2026-05-01T12:00:00Z",
  };
  await writeFile(join(folder, "request.json"), JSON.stringify(request));
  const sent = await writ(folder, "submit", "request.json", "--sign", "agent.key", ...at, "--json");
  assert.equal(sent.code, 0, sent.stderr);
  const [{ record_id: id }] = [JSON.parse(sent.stdout)].flat() as [{ record_id: string }];
  const open = await writ(folder, "open-items", ...at);
  assert.equal(open.code, 0, open.stderr);
  assert.equal(open.stdout.trim(), "0 open, 0 of them overdue");
  const who = ["--sign", "boss.key", "--seat", "finance", ...at];
  const unasked = await writ(folder, "approve", id, ...who);
  assert.equal(unasked.code, 2, "nobody was asked");
  assert.match(unasked.stderr, /"amount": "41872\.14 USD"/);
  assert.match(
    unasked.stderr,
    /nobody can be asked here: read what is shown above, and say --yes to approve it/,
  );
  for (const answer of ["approve", "reject"]) {
    const said = await writ(folder, answer, id, ...who, "--yes", "--json");
    assert.equal(said.code, 0, said.stderr);
    const { index } = JSON.parse(said.stdout) as { index: number };
    const got = await writ(folder, "get", String(index), ...at, "--json");
    const { record } = JSON.parse(got.stdout) as { record: { [name: string]: unknown } };
    assert.deepEqual(
      [record["approval"], record["request_hash"], record["displayed_hash"], record["approver_role"]],
      [answer, id, id, "finance"],
    );
  }
  const odd = await writ(folder, "approve", "1", ...who, "--yes");
  assert.match(odd.stderr, /want a request, 1 is of the type key/);
  await end(log, "SIGTERM");
});

test("verify draws a bundle in every form that trace has", async () => {
  const folder = await temporaryFolder();
  const played = await play(wireTransfer);
  await writeFile(join(folder, "bundle.json"), bundleBytes(await bundleOf(played, "receipt")));
  await played.log.close();
  const key = ["--key", formatVerifierKey(logKey), "--at", "2026-05-01T12:10:00Z"];
  const drawn = await writ(
    folder,
    "verify",
    "bundle.json",
    ...key,
    "--svg",
    "p.svg",
    "--mermaid",
    "p.mmd",
    "--text",
    "p.txt",
    "--html",
    "p.html",
  );
  assert.equal(drawn.code, 0, drawn.stderr);
  const read = async (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  assert.match(await read("p.svg"), /^<svg .*data-card="#28"/s);
  assert.match(await read("p.mmd"), /^---\ntitle/);
  assert.match(await read("p.txt"), /^AUTHORIZED: wire\.transfer, tier 3/);
  assert.match(
    await read("p.html"),
    /^<!doctype html>.*the log's key, given by whoever made this page|^<!doctype html>.*given by whoever made this page/s,
  );
  assert.match(drawn.stdout, /└─|├─/, "and the tree, where a picture was asked for");
  const odd = await writ(
    folder,
    "verify",
    "bundle.json",
    "--proof",
    "bundle.json",
    ...key.slice(0, 2),
    "--svg",
    "p.svg",
  );
  assert.equal(odd.code, 2);
});
