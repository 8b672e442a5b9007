/** The stream of events: in order, from any point, without a gap; and nobody who is slow costs anybody else anything. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, test } from "node:test";
import type { Hono } from "hono";
import { createApp } from "../../api/app.js";
import { listen } from "../../api/server.js";
import { EventStreamReader } from "../../src/client/event-stream.js";
import { utf8 } from "../../src/format/bytes.js";
import type { Log } from "../../src/log/log.js";
import { sentEvents, type SentEvent, until } from "../support/events.js";
import { consume, grant, granted, put, revoke } from "../support/grants.js";
import {
  dsse,
  keyOf,
  logKey,
  logWithAgent,
  record,
  registration,
  request,
  signerOf,
} from "../support/log.js";
import { play } from "../support/story.js";

const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});

function appOf(log: Log): Hono {
  return createApp(log, { verifierKeys: [logKey], version: "test" });
}

async function open(
  app: Hono,
  query = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const response = await app.request(`/v1/events${query}`, { headers });
  assert.equal(response.status, 200, response.status === 200 ? "" : await response.text());
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  return response;
}

/** Everything from `start` to the size of the log now, and the checkpoint after it. */
async function all(app: Hono, log: Log, start: number, query = ""): Promise<SentEvent[]> {
  const { size } = log.published;
  const response = await open(app, `?from=${start}${query}`);
  return until(sentEvents(response), ({ name, data }) => name === "checkpoint" && data["size"] === size);
}

function states(event: SentEvent | undefined): unknown[] {
  return ((event?.data["changes"] ?? []) as { index: number; state: string }[]).map(({ index, state }) => [
    index,
    state,
  ]);
}

test("each entry is one event with its index as id; what it changed is in it; a checkpoint says how far it goes", async () => {
  const { log, stage } = await play(granted);
  const app = appOf(log);
  const start = log.published.size;
  const [one, two] = [grant(stage, 1), grant(stage, 2)];
  const [a = 0, b = 0] = await put(log, one.submission, two.submission);
  const mallory = signerOf(keyOf("authority://mallory", 77));
  await put(log, registration(mallory, ["authority"], ["authority://mallory"]));
  await put(log, revoke(stage, two.ref, "revoke", {}, mallory, "authority://mallory"));
  await put(log, revoke(stage, one.ref, "suspend"));
  await put(log, revoke(stage, one.ref, "resume"));
  await put(log, consume(stage, one.ref, 1));
  await put(log, revoke(stage, two.ref, "revoke", { cascade: true }));
  // A grant that is revoked before it is there.
  const late = grant(stage, 3);
  await put(log, revoke(stage, late.ref));
  const [c = 0] = await put(log, late.submission);
  const events = await all(app, log, start);
  assert.deepEqual(
    events.map(({ id, name }) => [Number(id), name]),
    [
      [start, "entry"],
      [start + 1, "entry"],
      [start + 2, "entry"],
      [start + 3, "revocation"],
      [start + 4, "suspension"],
      [start + 5, "resumption"],
      [start + 6, "consumption"],
      [start + 7, "revocation"],
      [start + 8, "revocation"],
      [start + 9, "revocation"],
      [start + 9, "checkpoint"],
    ],
  );
  assert.deepEqual(events.slice(0, -1).map(states), [
    [],
    [],
    [],
    [],
    [[a, "suspended"]],
    [[a, "active"]],
    [[a, "consumed"]],
    [[b, "revoked"]],
    [],
    [[c, "revoked"]],
  ]);
  assert.deepEqual(
    events.slice(0, -1).map(({ data }) => data["effect"] ?? null),
    [null, null, null, "none", "applied", "applied", null, "applied", "pending", null],
  );
  assert.deepEqual(events[7]?.data["takes"], [{ grants_below: two.ref.id }]);
  const last = events.at(-1)?.data ?? {};
  assert.equal(last["log_checkpoint"], log.published.text);
  await log.close();
});

test("Last-Event-ID goes on after any point of the past, without a gap and without a duplicate, across blocks", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  for (let n = 0; n < 4; n++) await log.submit(Array.from({ length: 200 }, (_, i) => request(n * 200 + i)));
  const { size } = log.published;
  for (const last of [0, 1, 254, 255, 256, 511, 700, size - 2]) {
    const response = await open(app, "", { "last-event-id": String(last) });
    const events = await until(sentEvents(response), ({ name }) => name === "checkpoint");
    assert.deepEqual(
      events.filter(({ name }) => name === "entry").map(({ id }) => Number(id)),
      Array.from({ length: size - 1 - last }, (_, i) => last + 1 + i),
    );
  }
  await log.close();
});

test("what comes while somebody listens comes to them, once, in order", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const start = log.published.size;
  const listeners = await Promise.all(Array.from({ length: 20 }, async () => sentEvents(await open(app))));
  const seen = listeners.map((events) => until(events, ({ id }) => id === String(start + 299)));
  for (let n = 0; n < 30; n++) await log.submit(Array.from({ length: 10 }, (_, i) => request(n * 10 + i)));
  for (const events of await Promise.all(seen))
    assert.deepEqual(
      events.filter(({ name }) => name === "entry").map(({ id }) => Number(id)),
      Array.from({ length: 300 }, (_, i) => start + i),
    );
  await log.close();
});

test("filters: by type, issuer, trace, linked record and kind of event; the checkpoint's id moves on past what was left out", async () => {
  const { log, stage } = await play(granted);
  const app = appOf(log);
  const one = grant(stage, 1);
  await put(log, one.submission, revoke(stage, one.ref, "suspend"));
  const names = async (query: string): Promise<string[]> =>
    (await all(app, log, 0, query)).slice(0, -1).map(({ name, data }) => {
      const entry = data["entry"] as { record: { type: string } };
      return `${name} ${entry.record.type}`;
    });
  assert.deepEqual(await names("&type=revocation"), ["suspension revocation"]);
  assert.deepEqual(await names("&events=suspension,revocation"), ["suspension revocation"]);
  assert.deepEqual(await names(`&linked=${one.ref.id}`), ["suspension revocation"]);
  assert.deepEqual(await names("&events=consumption"), []);
  assert.equal((await names("&type=capability-grant&issuer=nobody")).length, 0);
  assert.ok((await names("&type=capability-grant")).length >= 2);
  const events = await all(app, log, 0, "&events=consumption");
  assert.deepEqual(
    events.map(({ id }) => id),
    [String(log.published.size - 1)],
  );
  await log.close();
});

test("what is wrong with a request is said before a stream begins", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const code = async (query: string, headers: Record<string, string> = {}): Promise<unknown[]> => {
    const response = await app.request(`/v1/events${query}`, { headers });
    const body = (await response.json()) as Record<string, unknown>;
    return [response.status, body["code"], body["path"]];
  };
  assert.deepEqual(await code("?from=99"), [404, "SIZE_UNPUBLISHED", "from"]);
  assert.deepEqual(await code("?from=x"), [400, "QUERY_INVALID", "from"]);
  assert.deepEqual(await code("?events=everything"), [400, "QUERY_INVALID", "events"]);
  assert.deepEqual(await code("?linked=sha256:1"), [400, "QUERY_INVALID", "linked"]);
  assert.deepEqual(await code("?color=red"), [400, "QUERY_INVALID", "color"]);
  assert.deepEqual(await code("", { "last-event-id": "abc" }), [400, "QUERY_INVALID", "Last-Event-ID"]);
  assert.deepEqual(await code("", { "last-event-id": "7777" }), [404, "SIZE_UNPUBLISHED", "from"]);
  assert.deepEqual(await code("", { accept: "text/html" }), [406, "NOT_ACCEPTABLE", undefined]);
  await log.close();
});

test("a client that never reads costs one buffer, delays nobody, and does not keep the log from ending", async () => {
  const log = await logWithAgent();
  const server = await listen(appOf(log), "127.0.0.1", 0);
  const socket = connect(server.port, "127.0.0.1");
  socket.pause();
  socket.on("error", () => {});
  socket.write(`GET /v1/events?from=0 HTTP/1.1\r\nhost: x\r\n\r\n`);
  const reader = await fetch(`http://127.0.0.1:${server.port}/v1/events`);
  const start = log.published.size;
  const wanted = 6_000;
  const seen = until(sentEvents(reader), ({ id }) => id === String(start + wanted - 1));
  const filler = "x".repeat(2_000);
  for (let n = 0; n < wanted / 200; n++)
    await log.submit(
      Array.from({ length: 200 }, (_, i) => {
        const members = { type: "action-request", n: n * 200 + i, filler };
        return dsse(record(members));
      }),
    );
  assert.equal((await seen).filter(({ name }) => name === "entry").length, wanted);
  const began = performance.now();
  log.release();
  await server.close();
  assert.ok(performance.now() - began < 5_000, "the stream ended with the log");
  socket.destroy();
  await log.close();
});

test("a record whose own bytes have line ends in them comes whole, and stops nobody's stream", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const start = log.published.size;
  const pretty = JSON.stringify(JSON.parse(new TextDecoder().decode(record({ note: "x" }))), null, 1);
  await log.submit([
    dsse(utf8(pretty.replaceAll("\n", "\n\n"))),
    dsse(utf8(pretty.replaceAll("\n", "\r\n\r"))),
    request(1),
  ]);
  const events = await all(app, log, start);
  assert.deepEqual(
    events.map(({ id, name }) => `${name} ${id}`),
    [`entry ${start}`, `entry ${start + 1}`, `entry ${start + 2}`, `checkpoint ${start + 2}`],
  );
  const reader = new EventStreamReader();
  const body = await open(app, `?from=${start}`);
  const chunk = await body.body?.getReader().read();
  assert.ok(chunk?.value instanceof Uint8Array);
  reader.push(chunk.value);
  await log.close();
});

test("HEAD opens no stream; over the network a stream that was read to its end ends in order", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const server = await listen(app, "127.0.0.1", 0);
  const url = `http://127.0.0.1:${server.port}/v1/events`;
  const heads = await Promise.all(
    Array.from({ length: 4_500 }, async () => app.request("/v1/events", { method: "HEAD" })),
  );
  assert.deepEqual(new Set(heads.map(({ status }) => status)), new Set([200]));
  const response = await fetch(`${url}?from=0`);
  const seen: SentEvent[] = [];
  const reading = (async () => {
    for await (const event of sentEvents(response)) {
      seen.push(event);
      if (event.name === "checkpoint") log.release();
    }
    return "ended";
  })();
  assert.equal(await reading, "ended");
  assert.equal(seen.filter(({ name }) => name === "entry").length, log.published.size);
  await server.close();
  await log.close();
});

test("the log's end ends the streams", async () => {
  const log = await logWithAgent();
  const events = sentEvents(await open(appOf(log), "?from=0"));
  const seen: SentEvent[] = [];
  const reading = (async () => {
    for await (const event of events) seen.push(event);
  })();
  log.release();
  await reading;
  assert.equal(seen.filter(({ name }) => name === "entry").length, log.published.size);
  await log.close();
});

test("bearing: each record that something may rest on, with the ids and names that it bears on, by either way to ask", async () => {
  const { log, stage } = await play(granted);
  const app = appOf(log);
  const one = grant(stage, 1);
  await put(log, one.submission, revoke(stage, one.ref));
  for (const query of ["&events=bearing", "&type=bearing"]) {
    const events = (await all(app, log, 0, query)).slice(0, -1);
    assert.ok(events.length > 5 && events.every(({ data }) => Array.isArray(data["bears_on"])), query);
    const bearing = (id: string): string[] =>
      events
        .filter(({ data }) => (data["bears_on"] as string[]).includes(id))
        .map(({ data }) => (data["entry"] as { record: { type: string } }).record.type);
    assert.ok(bearing(one.ref.id).includes("revocation"), query);
    assert.ok(bearing(stage.id("request")).includes("policy-decision"), query);
    const types = new Set(
      events.map(({ data }) => (data["entry"] as { record: { type: string } }).record.type),
    );
    for (const type of ["key", "policy-decision", "action-type", "revocation"])
      assert.ok(types.has(type), type);
    assert.equal(types.has("action-request"), false, "a request is rested on, and bears on nothing");
  }
  await log.close();
});
