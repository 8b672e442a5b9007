/** The status lists, read by independent libraries through every state that a grant can be in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { sdJwtVc, verifiableCredential } from "../../src/demo/credentials.js";
import { fromHex } from "../../src/format/bytes.js";
import { LIST_BYTES, LIST_ENTRIES } from "../../src/index/bits.js";
import type { Log } from "../../src/log/log.js";
import { bitstring } from "../../src/status-list/bitstring.js";
import { base58btc, didKey } from "../../src/status-list/did-key.js";
import { logKey, newStore, openLog, keyOf } from "../support/log.js";
import { checkCredential, checkSdJwt, type Fetch, readCwt, readJwt } from "../support/stock-clients.js";
import { consume, grant, granted, put, revoke } from "../support/grants.js";
import { play, stageOf } from "../support/story.js";

const BASE = "https://log.example";

interface Stand {
  readonly log: Log;
  readonly fetch: Fetch;
  readonly clock: { now: number };
}

async function stand(): Promise<Stand & { readonly played: Awaited<ReturnType<typeof play>> }> {
  // A little behind, so that it can be put forward: one of the libraries looks at the real one.
  const clock = { now: Date.now() - 60_000 };
  const store = await newStore();
  const log = await openLog(store, { now: () => clock.now });
  const played = await play(granted, { store, log, stage: stageOf(granted) });
  const app = createApp(log, {
    verifierKeys: [logKey],
    version: "test",
    service: { key: logKey, url: () => BASE, now: () => clock.now },
  });
  const fetch: Fetch = async (url, headers = {}) => app.request(url.slice(BASE.length), { headers });
  return { log, fetch, clock, played };
}

test("every transition of a grant is seen by stock clients of both standards, and by a credential that points at it", async () => {
  const { log, fetch, clock, played } = await stand();
  const { stage } = played;
  const expiry = new Date(clock.now + 3_600_000).toISOString();
  const one = grant(stage, "a", undefined, { expiry });
  const [index = 0] = await put(log, one.submission);
  const authority = keyOf("authority://acme", 55);
  const issue = {
    grant: { id: one.ref.id, index, audience: "executor://acme/db", expiry },
    logUrl: BASE,
    key: authority,
    now: clock.now,
  };
  const [vc, sdJwt] = [verifiableCredential(issue), sdJwtVc(issue)];
  const uri = `${BASE}/v1/status/lists/0`;
  const seen = async (): Promise<unknown[]> => [
    (await readJwt(fetch, BASE, uri, index)).status,
    await readCwt(fetch, BASE, uri, index),
    await checkCredential(fetch, vc),
    await checkSdJwt(fetch, BASE, sdJwt, authority.publicKey),
  ];
  const invalid = "Status is not valid";
  assert.deepEqual(await seen(), [0, 0, [], "valid"]);
  await put(log, revoke(stage, one.ref, "suspend"));
  assert.deepEqual(await seen(), [2, 2, ["suspension"], invalid]);
  await put(log, revoke(stage, one.ref, "resume"));
  assert.deepEqual(await seen(), [0, 0, [], "valid"]);
  await put(log, consume(stage, one.ref, "a"));
  // Under load a list changes hundreds of times a second: consumptions alone wait for a second.
  assert.deepEqual(await seen(), [0, 0, [], "valid"]);
  clock.now += 1_000;
  assert.deepEqual(await seen(), [3, 3, ["revocation"], invalid]);
  await put(log, revoke(stage, one.ref));
  assert.deepEqual(await seen(), [1, 1, ["revocation"], invalid]);
  await log.close();
});

test("the W3C bitstring is most significant bit first, and holds what is final together", () => {
  const bits = new Uint8Array(LIST_BYTES);
  // Entries 0…4 and the last: revoked, suspended, consumed, valid, revoked; consumed.
  bits[0] = 0b00_11_10_01;
  bits[1] = 0b00_00_00_01;
  bits[LIST_BYTES - 1] = 0b11_00_00_00;
  const revoked = bitstring(bits, "revocation");
  assert.equal(revoked.length, LIST_ENTRIES / 8);
  assert.deepEqual([revoked[0], revoked[1], revoked.at(-1)], [0b1010_1000, 0, 1]);
  const suspended = bitstring(bits, "suspension");
  assert.deepEqual([suspended[0], suspended[1], suspended.at(-1)], [0b0100_0000, 0, 0]);
});

test("a key as did:key: the example of the did:key specification, the key of a seed of zeros", () => {
  const publicKey = fromHex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
  assert.ok(publicKey !== undefined);
  assert.equal(didKey(publicKey), "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
  assert.equal(base58btc(Uint8Array.of(0, 0, 1)), "z112");
  assert.equal(base58btc(new Uint8Array(0)), "z");
});

test("lists have strong validators, vary by Accept, and name one another", async () => {
  const { log, fetch } = await stand();
  const path = `${BASE}/v1/status/lists/0`;
  const first = await fetch(path);
  assert.equal(first.headers.get("content-type"), "application/statuslist+jwt");
  assert.equal(first.headers.get("vary"), "Accept");
  const etag = first.headers.get("etag") ?? "";
  assert.match(etag, /^"[0-9a-f]{32}"$/);
  const again = await fetch(path, { "if-none-match": `"other", ${etag}` });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  const cwt = await fetch(path, { accept: "application/statuslist+cwt", "if-none-match": etag });
  assert.equal(cwt.status, 200, "another representation, another validator");
  const aggregation = (await (await fetch(`${BASE}/v1/status/lists`)).json()) as object;
  assert.deepEqual(aggregation, { status_lists: [path] });
  const types = await Promise.all(
    [undefined, "application/vc", "application/ld+json", "*/*"].map(async (accept) => {
      const { headers } = await fetch(
        `${BASE}/v1/status/bitstring/revocation/0`,
        accept === undefined ? {} : { accept },
      );
      return headers.get("content-type");
    }),
  );
  assert.deepEqual(types, ["application/json", "application/vc", "application/ld+json", "application/json"]);
  await log.close();
});

test("unchanged, a list is signed once a window; changed, at once", async () => {
  const { log, fetch, clock, played } = await stand();
  const ask = async (): Promise<string> =>
    (await fetch(`${BASE}/v1/status/lists/0`)).headers.get("etag") ?? "";
  const one = grant(played.stage, 1, undefined, { expiry: new Date(clock.now + 9e6).toISOString() });
  await put(log, one.submission);
  const first = await ask();
  clock.now += 29_000;
  assert.equal(await ask(), first);
  clock.now += 1_000;
  const second = await ask();
  assert.notEqual(second, first, "a new window");
  await put(log, revoke(played.stage, one.ref));
  assert.notEqual(await ask(), second);
  await log.close();
});

test("a list of the past is what it was, for ever; before the log and beyond now there is none", async () => {
  const { log, fetch, clock, played } = await stand();
  const { stage } = played;
  const start = clock.now;
  const one = grant(stage, 1, undefined, { expiry: new Date(start + 9e6).toISOString() });
  const [index = 0] = await put(log, one.submission);
  clock.now = start + 10_000;
  await put(log, revoke(stage, one.ref, "suspend"));
  clock.now = start + 20_000;
  await put(log, revoke(stage, one.ref));
  clock.now = start + 30_000;
  const uri = `${BASE}/v1/status/lists/0`;
  const at = async (ms: number): Promise<number> =>
    (await readJwt(fetch, BASE, uri, index, new Date(start + ms))).status;
  assert.deepEqual(
    [await at(5_000), await at(9_000), await at(11_000), await at(19_000), await at(21_000)],
    [0, 0, 2, 2, 1],
  );
  const seconds = (ms: number): number => Math.floor((start + ms) / 1000);
  const past = await fetch(`${uri}?time=${seconds(12_000)}`);
  assert.equal(past.headers.get("cache-control"), "public, max-age=31536000, immutable");
  const open = await fetch(`${uri}?time=${seconds(25_000)}`);
  assert.equal(open.headers.get("cache-control"), "no-cache", "more may still be revoked as of then");
  const sameLater = await past.text();
  await put(log, grant(stage, 2, undefined, { expiry: new Date(start + 9e6).toISOString() }).submission);
  assert.equal(await (await fetch(`${uri}?time=${seconds(12_000)}`)).text(), sameLater);
  const stamp = encodeURIComponent(new Date(start + 12_000).toISOString());
  const w3c = await fetch(`${BASE}/v1/status/bitstring/suspension/0?timestamp=${stamp}`);
  assert.equal(w3c.headers.get("cache-control"), "public, max-age=31536000, immutable");

  const code = async (path: string, headers = {}): Promise<unknown[]> => {
    const response = await fetch(`${BASE}${path}`, headers);
    const problem = (await response.json()) as Record<string, unknown>;
    return [response.status, problem["code"], String(problem["type"]).split("#").at(-1)];
  };
  const lists = "/v1/status/lists/0";
  assert.deepEqual(await code(`${lists}?time=1000`), [404, "TIME_UNKNOWN", "about:blank"]);
  assert.deepEqual(await code(`${lists}?time=${seconds(999_000)}`), [404, "TIME_UNKNOWN", "about:blank"]);
  assert.deepEqual(await code(`${lists}?time=soon`), [400, "QUERY_INVALID", "about:blank"]);
  assert.deepEqual(await code(`${lists}?timestamp=1`), [400, "QUERY_INVALID", "about:blank"]);
  assert.deepEqual(await code("/v1/status/lists/1"), [404, "NOT_FOUND", "about:blank"]);
  assert.deepEqual(await code("/v1/status/lists/x"), [404, "NOT_FOUND", "about:blank"]);
  assert.deepEqual(await code(lists, { accept: "text/html" }), [406, "NOT_ACCEPTABLE", "about:blank"]);
  const bitstrings = "/v1/status/bitstring/revocation/0";
  const retrieval = "STATUS_RETRIEVAL_ERROR";
  assert.deepEqual(await code(`${bitstrings}?timestamp=now`), [400, "QUERY_INVALID", retrieval]);
  assert.deepEqual(await code("/v1/status/bitstring/refresh/0"), [404, "NOT_FOUND", retrieval]);
  assert.deepEqual(await code("/v1/status/bitstring/revocation/7"), [404, "NOT_FOUND", retrieval]);
  await log.close();
});

test("ten thousand lists that are not there cost nothing, and a list says where in the log it is from", async () => {
  const { log, fetch, clock, played } = await stand();
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, async (_, k) => (await fetch(`${BASE}/v1/status/lists/${k + 1}`)).status),
  );
  assert.deepEqual(new Set(answers), new Set([404]));
  const one = grant(played.stage, 1, undefined, { expiry: new Date(clock.now + 9e6).toISOString() });
  const [index = 0] = await put(log, one.submission);
  const { claims } = await readJwt(fetch, BASE, `${BASE}/v1/status/lists/0`, index);
  const tlog = claims["tlog"] as Record<string, unknown>;
  const { size } = log.published;
  assert.deepEqual([tlog["origin"], tlog["tree_size"], tlog["swept_to"]], [log.origin, size, size]);
  await log.close();
});
