/** HTTP as caches, proxies and browsers read it: what may be kept, by what it is told apart, where things are, how long they are. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { createApp } from "../../api/app.js";
import { KEEP_ALIVE_MS, listen, type RunningServer } from "../../api/server.js";
import type { Log } from "../../src/log/log.js";
import { dsse, logKey, logWithAgent, newStore, openLog, record } from "../support/log.js";

let log: Log;
let server: RunningServer;

before(async () => {
  log = await logWithAgent();
  await log.submit([dsse(record({ trace_id: "one" })), dsse(record({ trace_id: "two" }))]);
  const service = { key: logKey, url: () => "https://proxy.example/logs/b", now: Date.now };
  server = await listen(createApp(log, { verifierKeys: [logKey], version: "test", service }), "127.0.0.1", 0);
});

after(async () => {
  await server.close();
  await log.close();
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

/** As a shared cache would have it (RFC 9111): by URL, and the fields that `Vary` names; what says nothing of itself is kept. */
class Cache {
  private readonly kept = new Map<string, { vary: string[]; asked: Headers; text: string }[]>();

  async get(path: string, accept: string): Promise<string> {
    const asked = new Headers({ accept });
    const fits = (this.kept.get(path) ?? []).find(({ vary, asked: then }) =>
      vary.every((name) => then.get(name) === asked.get(name)),
    );
    if (fits !== undefined) return fits.text;
    const answer = await ask(path, { headers: asked });
    const text = await answer.text();
    const vary = (answer.headers.get("vary") ?? "").split(",").map((name) => name.trim());
    if (!/no-store|no-cache/.test(answer.headers.get("cache-control") ?? ""))
      this.kept.set(path, [
        ...(this.kept.get(path) ?? []),
        { vary: vary.filter((name) => name !== ""), asked, text },
      ]);
    return text;
  }
}

test("a shared cache never gives one form of an answer to who asks for another, nor what was to who asks what is", async () => {
  const cache = new Cache();
  for (const [path, first, second] of [
    ["/v1/entries/2/proof", "application/json", "text/plain"],
    ["/v1/entries/2", "application/octet-stream", "application/json"],
  ] as const) {
    const one = await cache.get(path, first);
    assert.notEqual(await cache.get(path, second), one, path);
  }
  const size = async (): Promise<number> => {
    const page = JSON.parse(await cache.get("/v1/search?limit=1000", "application/json")) as {
      entries: unknown[];
    };
    return page.entries.length;
  };
  const had = await size();
  await log.submit([dsse(record({ trace_id: "three" }))]);
  assert.equal(await size(), had + 1);
});

test("answers about now are not stored, what stands at an index is for ever, and checkpoint and lists are asked about by their tag", async () => {
  for (const path of [
    "/v1/search",
    "/v1/log",
    "/healthz",
    "/v1/entries/2/status",
    "/v1/traces/2",
    "/v1/traces/2/verdict",
    "/v1/impact/2",
    "/v1/entries/2/links",
    "/v1/entries/99999",
    "/nothing",
  ]) {
    const { headers } = await ask(path);
    assert.equal(headers.get("cache-control"), "no-store", path);
    assert.equal(headers.get("vary")?.toLowerCase(), "accept", path);
  }
  assert.match((await ask("/v1/entries/2")).headers.get("cache-control") ?? "", /immutable/);
  assert.match((await ask("/tile/0/000.p/3")).headers.get("cache-control") ?? "", /immutable/);
  for (const path of ["/checkpoint", "/v1/status/lists/0"]) {
    const { headers } = await ask(path);
    assert.equal(headers.get("cache-control"), "no-cache", path);
    const etag = headers.get("etag") ?? "";
    assert.equal((await ask(path, { headers: { "if-none-match": etag } })).status, 304, path);
    assert.equal((await ask(path, { headers: { "if-none-match": '"other"' } })).status, 200, path);
  }
});

test("HEAD says how long the answer to GET is, and takes nothing of the readers' budget", async () => {
  for (const path of [
    "/tile/0/000.p/3",
    "/checkpoint",
    "/v1/log",
    "/v1/search",
    "/v1/traces/2",
    "/v1/entries/2/proof",
    "/healthz",
  ]) {
    const headers = { accept: "*/*", "accept-encoding": "identity" };
    const [head, got] = [await ask(path, { method: "HEAD", headers }), await ask(path, { headers })];
    const length = (await got.arrayBuffer()).byteLength;
    assert.equal(head.status, got.status, path);
    assert.equal(head.headers.get("content-length"), String(length), path);
  }
  for (const path of ["/v1/events", "/v1/impact/2"]) {
    const head = await ask(path, { method: "HEAD" });
    assert.equal(head.status, 200);
  }
  assert.equal(log.readers.holds(), 0);
});

test("a page of another origin may say where it was in the events, and read where things are", async () => {
  const asked = {
    origin: "https://app.example",
    "access-control-request-method": "GET",
    "access-control-request-headers": "last-event-id",
  };
  const { status, headers } = await ask("/v1/events", { method: "OPTIONS", headers: asked });
  assert.equal(status, 204);
  assert.match(headers.get("access-control-allow-headers") ?? "", /last-event-id/);
  const exposed = (await ask("/checkpoint")).headers.get("access-control-expose-headers") ?? "";
  for (const name of ["location", "retry-after", "etag"]) assert.match(exposed, new RegExp(name));
});

test("a log behind a path says where things are below it", async () => {
  const { bytes } = dsse(record({ trace_id: "behind a path" }));
  const answer = await ask("/v1/entries", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: bytes,
  });
  assert.equal(answer.status, 201);
  const { index } = (await answer.json()) as { index: number };
  assert.equal(answer.headers.get("location"), `/logs/b/v1/entries/${index}`);
});

test("a body with a Content-Encoding is refused by name, and not by what it looks like", async () => {
  const { bytes: body } = dsse(record({ trace_id: "encoded" }));
  const post = async (coding: string): Promise<Response> =>
    ask("/v1/entries", {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": coding },
      body,
    });
  const refused = await post("gzip");
  assert.equal(refused.status, 415);
  assert.match(await refused.text(), /"code":"MEDIA_TYPE_UNSUPPORTED".*Content-Encoding/);
  assert.equal((await post("identity")).status, 201);
});

test("a connection that idles outlasts a load balancer's minute", () => {
  assert.equal(KEEP_ALIVE_MS, 75_000);
});

test("a body that is too long for a connection that is to be closed gets its answer", async () => {
  const socket = connect(server.port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
  socket.write(
    "POST /v1/entries HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 30000000\r\n\r\n",
  );
  const piece = Buffer.alloc(1_000_000, 0x20);
  const write = (left: number): void => {
    if (left > 0 && !socket.destroyed) socket.write(piece, () => write(left - 1));
  };
  write(30);
  await once(socket, "close").catch(() => {});
  assert.match(received, /^HTTP\/1\.1 413 [^]*"code":"BODY_TOO_LARGE"/);
});

test("a raw log stores each line of a batch as it was sent", async () => {
  const raw = await openLog(await newStore("raw"));
  const app = createApp(raw, { verifierKeys: [logKey], version: "test" });
  const lines = ["  led by blanks", "ended by one ", "a return\r", "\ttab"];
  const answer = await app.request("/v1/entries/batch", {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: `${lines.join("\n")}\n\n`,
  });
  assert.equal(answer.status, 200);
  const stored = await Promise.all(lines.map((_, n) => raw.read.statement(n + 1)));
  assert.deepEqual(
    stored.map((bytes) => Buffer.from(bytes).toString()),
    lines,
  );
  await raw.close();
});
