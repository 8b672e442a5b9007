/** Events on their way: kept until they are taken, signed, and not sent where they must not go. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ed25519Verify } from "#crypto";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { signingKey } from "../../src/format/vkey.js";
import { isPrivate } from "../../src/webhook/address.js";
import type { Finding } from "../../src/monitor/events.js";
import { idOf, Outbox, type Receiver } from "../../src/monitor/outbox.js";
import { execHook, webhook } from "../../src/monitor/receivers.js";
import { evilServer } from "../support/servers.js";
import { seed } from "../support/witness.js";

const key = signingKey("log.example/monitor", seed(5));

function finding(detail: string): Finding {
  return { type: "finding", kind: "fork", log: "log.example", at: new Date().toISOString(), detail };
}

async function folder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "writ-outbox-"));
}

function taking(name: string, takes: () => boolean): Receiver & { readonly got: string[] } {
  const got: string[] = [];
  return {
    name,
    got,
    deliver: async (id) => {
      if (!takes()) throw new Error("not now");
      got.push(id);
    },
  };
}

test("each receiver gets each event; one that fails is tried again, and does not hold the other up", async () => {
  const place = await folder();
  let now = 0;
  let open = false;
  const [a, b] = [taking("a", () => true), taking("b", () => open)];
  const troubles: string[] = [];
  const outbox = new Outbox(
    place,
    [a, b],
    () => now,
    (name, why) => troubles.push(`${name}: ${why}`),
  );
  const events = [finding("one"), finding("two")];
  for (const event of events) await outbox.put([event]);
  assert.equal(await outbox.deliver(), 2);
  assert.deepEqual([a.got, b.got], [events.map(idOf), []]);
  assert.deepEqual(troubles, ["b: not now"], "left alone after the first failure");
  open = true;
  assert.equal(await outbox.deliver(), 2, "not before its pause is over");
  now += 10_000;
  assert.equal(await outbox.deliver(), 0);
  assert.deepEqual([a.got, b.got], [events.map(idOf), events.map(idOf)]);
  assert.deepEqual(await readdir(place), []);
});

test("what waits survives the process; half a file is passed over; the same event has the same id", async () => {
  const place = await folder();
  const first = new Outbox(place, [taking("a", () => false)], Date.now, () => {});
  await first.put([finding("kept")]);
  await writeFile(join(place, "000000000000000-000000-x.json"), '{"event":');
  const a = taking("a", () => true);
  const second = new Outbox(place, [a], Date.now, () => {});
  await second.deliver();
  assert.deepEqual(a.got, [idOf(finding("kept"))]);
  assert.notEqual(idOf(finding("kept")), idOf(finding("another")));
});

test("a run without receivers, or with others, leaves what waits as it is", async () => {
  const place = await folder();
  const put = new Outbox(place, [taking("webhook", () => false)], Date.now, () => {});
  await put.put([finding("kept")]);
  await new Outbox(place, [], Date.now, () => {}).deliver();
  await new Outbox(place, [taking("exec", () => true)], Date.now, () => {}).deliver();
  const hook = taking("webhook", () => true);
  assert.equal(await new Outbox(place, [hook], Date.now, () => {}).deliver(), 0);
  assert.deepEqual(hook.got, [idOf(finding("kept"))]);
});

test("a webhook: signed so that the receiver can check it, taken only with a 2xx, redirects not followed", async () => {
  let headers: IncomingHttpHeaders = {};
  const server = await evilServer((outgoing, incoming) => {
    ({ headers } = incoming);
    outgoing.writeHead(204).end();
  });
  const now = (): number => 1_700_000_000_000;
  const hook = webhook({ url: server.url, key, allowPrivate: true, now });
  const event = finding("a fork");
  await hook.deliver(idOf(event), event);
  const body = server.asked[0]?.toString() ?? "";
  assert.deepEqual(JSON.parse(body), event);
  const [version, signature] = String(headers["webhook-signature"]).split(",");
  assert.equal(version, "v1a");
  const signed = utf8(`${idOf(event)}.1700000000.${body}`);
  assert.ok(ed25519Verify(Buffer.from(signature ?? "", "base64"), signed, key.publicKey));
  for (const status of [301, 307, 400, 500]) {
    server.answer = (outgoing) => outgoing.writeHead(status, { location: "/elsewhere" }).end();
    await assert.rejects(hook.deliver("x", event), new RegExp(String(status)));
  }
});

test("private addresses are refused, as literals and behind names, unless they are allowed", async () => {
  const server = await evilServer((outgoing) => outgoing.end());
  const { port } = new URL(server.url);
  const event = finding("x");
  const make = (url: string): Receiver => webhook({ url, key, allowPrivate: false, now: Date.now });
  const refused = (error: unknown): boolean =>
    error instanceof WritError
      ? error.code === "ADDRESS_REFUSED"
      : error instanceof Error &&
        /ADDRESS_REFUSED|not a public address/.test(`${error.message} ${String(error.cause)}`);
  for (const host of [
    "127.0.0.1",
    "[::1]",
    "0.0.0.0",
    "10.1.2.3",
    "169.254.169.254",
    "[::ffff:127.0.0.1]",
    "[fd00::1]",
    "2130706433",
    "0x7f.1",
    "127.1",
  ])
    assert.throws(() => make(`http://${host}:${port}/`), refused, host);
  await assert.rejects(
    make(`http://localhost:${port}/`).deliver("x", event),
    refused,
    "a name of this machine",
  );
  assert.equal(server.asked.length, 0, "nothing was sent");
  for (const url of ["ftp://x/", "nonsense", "file:///etc/passwd"])
    assert.throws(
      () => make(url),
      (error) => error instanceof WritError && error.code === "USAGE",
    );
  for (const [address, want] of [
    ["8.8.8.8", false],
    ["2606:4700::1111", false],
    ["100.64.0.1", true],
    ["172.31.255.255", true],
    ["172.32.0.1", false],
    ["::ffff:10.0.0.1", true],
    ["::ffff:8.8.8.8", false],
    ["fe80::1", true],
  ] as const)
    assert.equal(isPrivate(address), want, address);
});

test("a command: the event on its standard input; taken only when it ends with 0", async () => {
  const place = await folder();
  const event = finding("for a command");
  await execHook(`cat > '${place}/got' && test "$WRIT_EVENT" = fork`).deliver("evt_1", event);
  assert.deepEqual(JSON.parse(await readFile(join(place, "got"), "utf8")), event);
  await assert.rejects(execHook("exit 3").deliver("x", event), /ended with 3/);
  await assert.rejects(execHook("kill -9 $$").deliver("x", event), /SIGKILL/);
});
