/** The readers' budget: what strangers with GETs can make a log hold, and for how long; and that it is one budget for all of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Context, Hono } from "hono";
import { Askers, NOBODY } from "../../api/asker.js";
import { createApp } from "../../api/app.js";
import { listen, type RunningServer } from "../../api/server.js";
import { Readers, STUCK_MS } from "../../api/readers.js";
import { PIECE_BYTES } from "../../src/log/ask/entry-bundles.js";
import { WritError } from "../../src/errors.js";
import { parseBundle } from "../../src/format/bundle.js";
import { ASKER_SHARE, Budget, FIRST_BYTES, READING_BYTES } from "../../src/log/ask/budget.js";
import { MAX_PAGE_BYTES } from "../../src/log/ask/queries.js";
import { isPlaced, type Log } from "../../src/log/log.js";
import { agent, dsse, logKey, logWithAgent, record } from "../support/log.js";

const MIB = 1024 * 1024;

function codeOf(error: unknown): string {
  return error instanceof WritError ? error.code : String(error);
}
const isBusy = (error: unknown): boolean => codeOf(error) === "READERS_BUSY";

test("all readers together hold 128 MiB at most, one asker a quarter of that, and what is given back can be had again", () => {
  assert.deepEqual([READING_BYTES, ASKER_SHARE, FIRST_BYTES], [128 * MIB, 1 / 4, MIB]);
  const budget = new Budget();
  const leases = ["a", "b", "c", "d"].map((asker) => {
    const own = Array.from({ length: 32 }, () => budget.lease(asker));
    if (asker !== "d") assert.throws(() => budget.lease(asker), isBusy, "a thirty-third of one asker");
    return own;
  });
  assert.equal(budget.holds(), READING_BYTES);
  assert.throws(() => budget.lease("e"), isBusy, "a fifth asker, when all is taken");
  leases[0]?.[0]?.release();
  const late = budget.lease("e");
  assert.throws(() => late.charge(FIRST_BYTES + 1), isBusy, "there is no more than that");
  for (const lease of [...leases.flat(), late]) {
    lease.release();
    lease.release();
  }
  assert.deepEqual([budget.holds(), budget.holds("a")], [0, 0]);
});

test("a lease that grows is charged for what it holds at most, and gives back what it does not", () => {
  const budget = new Budget(8 * MIB);
  const lease = budget.lease("a");
  lease.charge(2 * MIB);
  assert.equal(budget.holds("a"), 2 * MIB);
  assert.throws(() => lease.charge(1), isBusy, "its asker's quarter");
  lease.credit(MIB + MIB / 2);
  assert.equal(budget.holds("a"), MIB);
  lease.settle(2 * MIB - MIB / 2);
  assert.equal(budget.holds("a"), MIB + MIB / 2);
  lease.release();
  assert.throws(() => lease.charge(1), isBusy, "after the end");
  assert.equal(budget.holds(), 0);
});

test("askers take turns, however many leases one has, and the loop is free between two", async () => {
  const budget = new Budget();
  const order: string[] = [];
  let rounds = 0;
  const count = setImmediate(function again() {
    rounds++;
    if (order.length < 12) setImmediate(again);
  });
  const many = Array.from({ length: 10 }, async () => {
    await budget.turn("greedy");
    order.push("greedy");
  });
  const one = budget.turn("honest").then(() => order.push("honest"));
  const two = budget.turn("other").then(() => order.push("other"));
  await Promise.all([...many, one, two]);
  clearImmediate(count);
  assert.ok(order.indexOf("honest") <= 2 && order.indexOf("other") <= 2, order.join(" "));
  assert.ok(rounds >= 11, `${rounds} rounds of the loop for twelve turns`);
});

test("while statements wait to be logged readers have a turn every six milliseconds, and none is forgotten", async () => {
  let isPressed = true;
  const budget = new Budget(READING_BYTES, () => isPressed);
  const begun = performance.now();
  await Promise.all(Array.from({ length: 4 }, () => budget.turn("a")));
  assert.ok(performance.now() - begun >= 15, "three waits of six milliseconds");
  isPressed = false;
  await Promise.all(Array.from({ length: 100 }, () => budget.turn("a")));
});

test("who asks is an address; a proxy that is trusted says for whom, and nobody else can", () => {
  const asks = (remoteAddress: string, forwarded?: string): Context => {
    const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
    const env = { incoming: { socket: { remoteAddress } } };
    return new Context(new Request("http://log/", { headers }), { env });
  };
  const direct = new Askers();
  assert.equal(direct.of(asks("192.0.2.1", "203.0.113.9")), "192.0.2.1", "a header that anybody can write");
  assert.equal(direct.of(asks("::ffff:192.0.2.1")), "192.0.2.1");
  assert.equal(direct.of(asks("2001:db8:1:2:3:4:5:6")), direct.of(asks("2001:db8:1:2::1")), "one /64");
  assert.notEqual(direct.of(asks("2001:db8:1:2::1")), direct.of(asks("2001:db8:1:3::1")));
  assert.equal(direct.of(new Context(new Request("http://log/"))), NOBODY);
  const behind = new Askers(["127.0.0.1", "10.0.0.0/8"]);
  assert.equal(behind.of(asks("127.0.0.1", "203.0.113.9, 10.1.2.3")), "203.0.113.9");
  assert.equal(behind.of(asks("127.0.0.1", "6.6.6.6, 203.0.113.9")), "203.0.113.9", "what he wrote himself");
  assert.equal(behind.of(asks("192.0.2.1", "203.0.113.9")), "192.0.2.1");
  assert.equal(behind.of(asks("127.0.0.1", "nonsense")), "127.0.0.1");
  for (const none of ["proxy.example", "10.0.0.0/99", "::1,127.0.0.1", "10.0.0.0/x"])
    assert.throws(() => new Askers([none]), RangeError, none);
});

/** A log with 130 entries of some 45 kB, 300 small ones. */
let log: Log;
let server: RunningServer;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "writ-readers-"));
  log = await logWithAgent({ bundleFolder: join(folder, "bundles"), readingBytes: 96 * MIB });
  const put = async (records: readonly Uint8Array[]): Promise<void> => {
    for (let at = 0; at < records.length; at += 100)
      for (const result of (await log.submit(records.slice(at, at + 100).map((one) => dsse(one, agent))))
        .results)
        assert.ok(isPlaced(result));
  };
  await put(
    Array.from({ length: 130 }, (_, n) => record({ trace_id: `big-${n}`, intent: "x".repeat(45_000) })),
  );
  await put(Array.from({ length: 300 }, (_, n) => record({ trace_id: `small-${n}` })));
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  server = await listen(app, "127.0.0.1", 0);
});

after(async () => {
  await server.close();
  await log.close();
  await rm(folder, { recursive: true });
});

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, { headers });
}

interface Page {
  readonly entries: readonly { readonly index: number }[];
  readonly next: string | null;
  readonly complete_to: number;
}

for (const order of ["asc", "desc"])
  test(`a page of a search has 4 MiB of entries at most, and its cursor goes on without a gap, ${order}`, async () => {
    assert.equal(MAX_PAGE_BYTES, 4 * MIB);
    const seen: number[] = [];
    let next: string | null = "";
    for (let pages = 0; next !== null && pages < 20; pages++) {
      const answer: Response = await get(
        `/v1/search?limit=1000&order=${order}${next === "" ? "" : `&cursor=${next}`}`,
      );
      const text = await answer.text();
      assert.ok(text.length < MAX_PAGE_BYTES + MIB, `${text.length} bytes`);
      assert.equal(answer.headers.get("content-length"), String(Buffer.byteLength(text)));
      const page = JSON.parse(text) as Page;
      seen.push(...page.entries.map(({ index }) => index));
      ({ next } = page);
    }
    const all = Array.from({ length: log.published.size }, (_, i) => i);
    assert.deepEqual(seen, order === "asc" ? all : all.toReversed());
  });

/** A connection that asks and does not read. */
async function silent(path: string): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.pause();
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let n = 0; !isSo(); n++) {
    assert.ok(n < 20_000, what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("sixty who ask for a page and read nothing of it hold a quarter of the budget, and the next is refused at once, with Retry-After", async () => {
  const share = log.readers.bytes * ASKER_SHARE;
  const sockets = await Promise.all(
    Array.from({ length: 60 }, (_, n) => silent(`/v1/search?limit=1000&from=${n}`)),
  );
  // Each page is 4 MiB: five fit into 24 MiB, and what they hold is what they are charged for.
  await until(() => log.readers.holds() > share - 5 * MIB, "they hold nearly all that one asker may");
  assert.ok(log.readers.holds() <= share, `${log.readers.holds()}`);
  const refused = await get("/v1/search?limit=1000&from=99");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(((await refused.json()) as { code: string }).code, "READERS_BUSY");
  // Whoever reads no entries is not a reader: he is answered as always.
  assert.equal((await get("/checkpoint")).status, 200);
  for (const socket of sockets) socket.destroy();
  await until(() => log.readers.holds() === 0, "whoever is gone holds nothing");
  assert.equal((await get("/v1/traces/3")).status, 200);
});

test("who takes nothing of his answer is cut off, ten seconds by default, and gives back what he held; who reads slowly is not", async () => {
  assert.equal(STUCK_MS, 10_000);
  const budget = new Budget();
  const app = new Hono();
  const readers = new Readers(budget, new Askers(), 40);
  const body = new Uint8Array((64 * MIB) / 4);
  app.get("/", (c) => readers.answer(c, async () => ({ body, headers: {} })));
  const running = await listen(app, "127.0.0.1", 0);
  const stuck = connect(running.port, "127.0.0.1");
  stuck.pause();
  stuck.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => budget.holds() >= body.length, "the answer is made");
  await once(stuck, "close", { signal: AbortSignal.timeout(5_000) }).catch(() => {});
  await until(() => budget.holds() === 0, "it is given back");
  const answer = await fetch(`http://127.0.0.1:${running.port}/`);
  assert.equal(answer.headers.get("content-length"), String(body.length));
  let read = 0;
  for await (const piece of answer.body ?? []) read += (piece as Uint8Array).length;
  assert.equal(read, body.length);
  await until(() => budget.holds() === 0, "an answer that was read is held by nobody");
  await running.close();
});

test("what several ask for at once is made once, and each is charged for what he holds of it", async () => {
  const budget = new Budget();
  const readers = new Readers(budget, new Askers());
  const app = new Hono();
  let made = 0;
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  app.get("/:name", (c) =>
    readers.answer(c, async () => {
      made++;
      await gate;
      return { body: "x".repeat(3 * PIECE_BYTES), headers: {} };
    }),
  );
  const answers = ["/a", "/a", "/a", "/b"].map(async (path) => app.request(path));
  assert.equal(budget.holds(), 4 * FIRST_BYTES);
  go();
  for (const answer of await Promise.all(answers))
    assert.equal((await answer.text()).length, 3 * PIECE_BYTES);
  assert.equal(made, 2);
  assert.equal(budget.holds(), 0);
  const head = await app.request("/a", { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(3 * PIECE_BYTES));
  assert.equal(budget.holds(), 0, "nobody reads the answer to HEAD");
});

test("the bundle of a full tile is made once, kept compressed, and the same either way", async () => {
  const plain = new Uint8Array(
    await (await get("/tile/entries/000", { "accept-encoding": "identity" })).arrayBuffer(),
  );
  assert.equal(parseBundle(plain, 256).length, 256);
  const kept = await readdir(join(folder, "bundles", "0"));
  assert.deepEqual(kept, ["0.gz"]);
  const zipped = await new Promise<Buffer>((resolve) => {
    const socket = connect(server.port, "127.0.0.1");
    const parts: Buffer[] = [];
    socket.on("data", (part) => parts.push(part)).on("close", () => resolve(Buffer.concat(parts)));
    socket.write(
      "GET /tile/entries/000 HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n",
    );
  });
  const at = zipped.indexOf("\r\n\r\n") + 4;
  assert.deepEqual(new Uint8Array(gunzipSync(zipped.subarray(at))), plain);
  const lines = zipped.toString("latin1", 0, at);
  assert.match(lines, new RegExp(`content-length: ${zipped.length - at}`, "i"));
  const head = await fetch(`http://127.0.0.1:${server.port}/tile/entries/000`, {
    method: "HEAD",
    headers: { "accept-encoding": "identity" },
  });
  assert.equal(head.headers.get("content-length"), String(plain.length));
});

test("HEAD of a bundle opens no file that stays open", async () => {
  const opened = async (): Promise<number> => {
    const names = await readdir("/proc/self/fd").catch(() => []);
    const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
    return targets.filter((target) => target.endsWith(".gz")).length;
  };
  await get("/tile/entries/000");
  for (let n = 0; n < 40; n++)
    for (const coding of ["gzip", "identity"])
      await fetch(`http://127.0.0.1:${server.port}/tile/entries/000`, {
        method: "HEAD",
        headers: { "accept-encoding": coding },
      });
  assert.ok((await opened()) <= 1, "at most that of the answer before");
  assert.equal(log.readers.holds() <= FIRST_BYTES, true);
});

test("who asks for the same as somebody without room is not refused for him", async () => {
  const budget = new Budget(16 * MIB);
  const readers = new Readers(budget, new Askers());
  const app = new Hono();
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  app.get("/", (c) =>
    readers.answer(c, async (lease) => {
      await gate;
      lease.charge(2 * MIB);
      return { body: "made", headers: {} };
    }),
  );
  const as = (remoteAddress: string) => ({ incoming: { socket: { remoteAddress } } });
  const held = Array.from({ length: 3 }, () => budget.lease("6.6.6.6"));
  const [poor, rich] = [app.request("/", {}, as("6.6.6.6")), app.request("/", {}, as("7.7.7.7"))];
  go();
  const isRefused = await Promise.resolve(poor).then(
    () => false,
    () => true,
  );
  assert.ok(isRefused || (await poor).status !== 200);
  assert.equal((await rich).status, 200);
  for (const lease of held) lease.release();
});

test("a bundle takes a piece of the budget while it is sent, however large it is: a quarter has room for twenty-four", async () => {
  const sockets = await Promise.all(Array.from({ length: 40 }, () => silent("/tile/entries/000")));
  await until(() => log.readers.holds() >= 24 * FIRST_BYTES, "as many as there is room for");
  assert.ok(log.readers.holds() <= log.readers.bytes * ASKER_SHARE);
  for (const socket of sockets) socket.destroy();
  await until(() => log.readers.holds() === 0, "given back");
});

test("entries of one record are given as far as 4 MiB go, the first whatever its size, and it is said that there are more", async () => {
  const all = Array.from({ length: 131 }, (_, i) => i);
  const { entries, isCut } = await log.queries.entries(all);
  const bytes = entries.reduce((sum, { stored }) => sum + stored.length, 0);
  assert.ok(isCut && bytes <= MAX_PAGE_BYTES && bytes > MAX_PAGE_BYTES - 128 * 1024, `${bytes}`);
  assert.deepEqual(await log.queries.entries([3]).then((one) => [one.entries.length, one.isCut]), [1, false]);
});
