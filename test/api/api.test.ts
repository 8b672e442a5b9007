/** The HTTP interface as its users meet it: what each path answers, and what bad input gets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Hono } from "hono";
import { createApp } from "../../api/app.js";
import {
  asHash,
  expandRun,
  type Hash,
  leafHash,
  verifyConsistency,
  verifyInclusion,
  verifyRun,
} from "../../merkle/index.js";
import { parseBundle } from "../../src/format/bundle.js";
import { openCheckpoint } from "../../src/format/cosignature.js";
import { concat, utf8 } from "../../src/format/bytes.js";
import { formatTilePath, tilesOf, tileWidth } from "../../src/format/tile-path.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import type { Log } from "../../src/log/log.js";
import { trustKey, verifyEntry } from "../../src/verify/index.js";
import { parseStatement } from "../../src/statement/parse.js";
import {
  agent,
  cose,
  dsse,
  keyOf,
  logKey,
  logWithAgent,
  newStore,
  openLog,
  record,
  registration,
  AGENT,
  request,
  signerOf,
  stranger,
} from "../support/log.js";

type Body = Record<string, unknown>;

const trust = trustKey(formatVerifierKey(logKey));

function appOf(log: Log): Hono {
  return createApp(log, { verifierKeys: [logKey], version: "test" });
}

async function post(
  app: Hono,
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return app.request(path, {
    method: "POST",
    body,
    headers: {
      "content-length": String(Buffer.byteLength(body)),
      "content-type": "application/json",
      ...headers,
    },
  });
}

async function json(response: Response): Promise<Body> {
  return (await response.json()) as Body;
}

async function problem(response: Response, status: number, code: string): Promise<Body> {
  const body = await json(response);
  assert.deepEqual([response.status, body["code"]], [status, code], JSON.stringify(body));
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(
    [body["type"], body["status"], typeof body["title"], typeof body["detail"], typeof body["retryable"]],
    ["about:blank", status, "string", "string", "boolean"],
  );
  return body;
}

function problemAt(results: readonly Body[], i: number): unknown {
  return ((results[i] ?? {})["problem"] as Body)["code"];
}

function hashes(list: unknown): Hash[] {
  return (list as string[]).map((text) => asHash(new Uint8Array(Buffer.from(text, "base64"))));
}

test("POST /v1/entries: 201 and a transparency entry whose proof holds; again, 200 and the same place", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const payload = record({ n: 1, trace_id: "t-1", previous_trace_hash: `sha256:${"0".repeat(64)}` });
  const forms = [
    ["application/vnd.dsse.envelope.v1+json", dsse(payload).bytes],
    ["application/json; charset=utf-8", dsse(record({ n: 2 })).bytes],
    ["application/cose", cose(payload).bytes],
    ['Application/COSE; cose-type="cose-sign1"', cose(record({ n: 3 })).bytes],
  ] as const;
  for (const [type, bytes] of forms) {
    for (const status of [201, 200]) {
      const response = await post(app, "/v1/entries", bytes, { "content-type": type });
      const body = await json(response);
      assert.equal(response.status, status, JSON.stringify(body));
      assert.equal(response.headers.get("location"), `/v1/entries/${String(body["index"])}`);
      const { checkpoint } = openCheckpoint(utf8(String(body["log_checkpoint"])), logKey);
      const proof = body["inclusion_proof"] as { index: number; tree_size: number; hashes: string[] };
      assert.deepEqual([proof.index, proof.tree_size], [body["index"], checkpoint.size]);
      verifyInclusion(proof.index, checkpoint.size, leafHash(bytes), hashes(proof.hashes), checkpoint.root);
      assert.deepEqual(Buffer.from(leafHash(bytes)).toString("base64"), body["leaf_hash"]);
      assert.deepEqual(body["cosigned_by"], []);
    }
  }
  const body = await json(await post(app, "/v1/entries", dsse(payload).bytes));
  assert.deepEqual(
    [body["log"], body["type"], body["trace_id"], body["previous_trace_hash"]],
    [log.origin, "action-request", "t-1", `sha256:${"0".repeat(64)}`],
  );
  const text = await post(app, "/v1/entries", dsse(payload).bytes, { accept: "text/plain" });
  assert.equal(
    verifyEntry(dsse(payload).bytes, new Uint8Array(await text.arrayBuffer()), trust).index,
    body["index"],
  );
  await log.close();
});

test("POST /v1/entries: everything wrong with the request is said before anything is stored", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const good = request(1).bytes;
  const size = log.published.size;
  await problem(
    await post(app, "/v1/entries", good, { "content-type": "text/xml" }),
    415,
    "MEDIA_TYPE_UNSUPPORTED",
  );
  await problem(await post(app, "/v1/entries", good, { "content-type": "" }), 415, "MEDIA_TYPE_UNSUPPORTED");
  await problem(await post(app, "/v1/entries", good, { accept: "image/png" }), 406, "NOT_ACCEPTABLE");
  await problem(
    await post(app, "/v1/entries", good, { accept: "application/json;q=0" }),
    406,
    "NOT_ACCEPTABLE",
  );
  await problem(await post(app, "/v1/entries?wait=forever", good), 400, "QUERY_INVALID");
  await problem(await post(app, "/v1/entries?wait=witnessed", good), 400, "WITNESSES_MISSING");
  await problem(await post(app, "/v1/entries?foo=1", good), 400, "QUERY_INVALID");
  await problem(await post(app, "/v1/entries", "x".repeat(200_000)), 413, "BODY_TOO_LARGE");
  await problem(
    await app.request("/v1/entries", {
      method: "POST",
      body: "x".repeat(200_000),
      headers: { "content-type": "application/json" },
    }),
    413,
    "BODY_TOO_LARGE",
  );
  await problem(
    await post(app, "/v1/entries", dsse(record({ pad: "x".repeat(60_000) })).bytes),
    413,
    "ENTRY_TOO_LARGE",
  );
  await problem(await post(app, "/v1/entries", ""), 400, "ENVELOPE_MALFORMED");
  await problem(await post(app, "/v1/entries", '{"a":1,"a":2}'), 400, "ENVELOPE_MALFORMED");
  await problem(await post(app, "/v1/entries", "{}"), 400, "ENVELOPE_INVALID");
  await problem(await post(app, "/v1/entries", dsse(record({}), stranger).bytes), 403, "KEY_UNKNOWN");
  await problem(
    await post(app, "/v1/entries", dsse(record({ type: "approval" })).bytes),
    403,
    "ROLE_MISSING",
  );
  const path = await problem(
    await post(app, "/v1/entries", dsse(record({ issued_at: 5 })).bytes),
    400,
    "RECORD_MALFORMED",
  );
  assert.equal(path["path"], "issued_at");
  assert.equal(log.published.size, size);
  await log.close();
});

test("POST /v1/entries/batch: one checkpoint, one compact proof, each statement its own result", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  await log.submit([request(0)]);
  const statements = [
    request(0).bytes,
    request(1).bytes,
    utf8("nonsense"),
    request(2).bytes,
    request(1).bytes,
    dsse(record({}), stranger).bytes,
    request(3).bytes,
  ];
  const response = await post(
    app,
    "/v1/entries/batch",
    concat(...statements.flatMap((s) => [s, utf8("\r\n\n")])),
    { "content-type": "application/x-ndjson" },
  );
  const body = await json(response);
  assert.equal(response.status, 200, JSON.stringify(body));
  const { checkpoint } = openCheckpoint(utf8(String(body["log_checkpoint"])), logKey);
  const results = body["results"] as Body[];
  assert.deepEqual(
    results.map(({ status }) => status),
    [200, 201, 400, 201, 200, 403, 201],
  );
  const run = body["run"] as { start: number; end: number; hashes: string[] };
  const leaves = [1, 3, 6].map((i) => leafHash(statements[i] as Uint8Array));
  assert.deepEqual([run.start, run.end], [3, 6]);
  verifyRun(run.start, checkpoint.size, leaves, hashes(run.hashes), checkpoint.root);
  expandRun(run.start, checkpoint.size, leaves, hashes(run.hashes)).forEach((proof, i) => {
    verifyInclusion(run.start + i, checkpoint.size, leaves[i] as Hash, proof, checkpoint.root);
  });
  for (const i of [0, 4]) {
    const proof = results[i]?.["inclusion_proof"] as { index: number; tree_size: number; hashes: string[] };
    verifyInclusion(
      proof.index,
      proof.tree_size,
      leafHash(statements[i] as Uint8Array),
      hashes(proof.hashes),
      checkpoint.root,
    );
  }
  assert.equal(problemAt(results, 2), "ENVELOPE_MALFORMED");
  assert.equal(problemAt(results, 5), "KEY_UNKNOWN");
  await log.close();
});

test("POST /v1/entries/batch: a CBOR sequence; long forms, indefinite lengths and a torn tail spoil only themselves", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const indefinite = Buffer.from("d29f4040ff", "hex");
  const body = concat(
    cose(record({ n: 1 })).bytes,
    indefinite,
    cose(record({ n: 2 })).bytes,
    Buffer.from("1817", "hex"),
    Uint8Array.of(0xd2, 0x84, 0x58),
  );
  const answer = await json(
    await post(app, "/v1/entries/batch", body, { "content-type": "application/cbor-seq" }),
  );
  assert.deepEqual(
    (answer["results"] as Body[]).map(({ status }) => status),
    [201, 400, 201, 400, 400],
  );
  const again = await json(
    await post(app, "/v1/entries/batch", cose(record({ n: 1 })).bytes, {
      "content-type": "application/cbor-seq",
    }),
  );
  assert.equal(again["run"], null);
  for (const [type, bytes, status, code] of [
    ["application/json", request(1).bytes, 415, "MEDIA_TYPE_UNSUPPORTED"],
    ["application/x-ndjson", utf8("\n \n"), 400, "ENVELOPE_MALFORMED"],
    ["application/x-ndjson", utf8("x\n".repeat(10_001)), 413, "BATCH_TOO_LONG"],
    ["application/x-ndjson", utf8("x\n".repeat(8_000_000)), 413, "BATCH_TOO_LONG"],
    ["application/cbor-seq", new Uint8Array(16_000_000), 413, "BATCH_TOO_LONG"],
    ["application/x-ndjson", new Uint8Array(16_000_000).fill(10), 400, "ENVELOPE_MALFORMED"],
  ] as const) {
    await problem(await post(app, "/v1/entries/batch", bytes, { "content-type": type }), status, code);
  }
  await log.close();
});

test("GET /v1/entries/{ref}: by index, entry hash and record id; raw when asked; several by one record id", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const payload = record({ n: 1 });
  await log.submit([dsse(payload), cose(record({ n: 2 }))]);
  const entry = await json(await app.request("/v1/entries/2"));
  assert.deepEqual(Object.keys(entry), [
    "index",
    "entry_hash",
    "record_id",
    "content_type",
    "signers",
    "statement",
    "record",
    "received_at",
  ]);
  assert.deepEqual(entry["record"], JSON.parse(Buffer.from(payload).toString()));
  assert.equal(entry["statement"], Buffer.from(dsse(payload).bytes).toString("base64"));
  assert.deepEqual(entry["signers"], [agent.publicKey.keyId]);
  for (const ref of [entry["entry_hash"], entry["record_id"]]) {
    assert.deepEqual(await json(await app.request(`/v1/entries/${String(ref)}`)), entry);
    assert.deepEqual(await json(await app.request(`/v1/entries/${encodeURIComponent(String(ref))}`)), entry);
  }
  for (const [index, accept] of [
    [2, "application/octet-stream"],
    [2, "application/vnd.dsse.envelope.v1+json"],
    [3, "application/cose"],
  ] as const) {
    const raw = await app.request(`/v1/entries/${index}`, { headers: { accept } });
    assert.equal(raw.headers.get("content-type"), accept);
    const bytes = new Uint8Array(await raw.arrayBuffer());
    assert.deepEqual(
      Buffer.from(parseStatement(bytes, index === 2 ? "dsse" : "cose").stored),
      Buffer.from(bytes),
    );
  }
  await problem(
    await app.request("/v1/entries/2", { headers: { accept: "application/cose" } }),
    406,
    "NOT_ACCEPTABLE",
  );
  const second = signerOf(keyOf("agent://acme/second", 9));
  await log.submit([registration(second, ["agent"], [AGENT])]);
  await log.submit([dsse(payload, second)]);
  const both = await json(await app.request(`/v1/entries/${String(entry["record_id"])}`));
  assert.deepEqual(
    (both["entries"] as Body[]).map(({ index }) => index),
    [2, 5],
  );
  const ambiguous = await problem(
    await app.request(`/v1/entries/${String(entry["record_id"])}/proof`),
    409,
    "REF_AMBIGUOUS",
  );
  assert.deepEqual(ambiguous["indexes"], [2, 5]);
  await log.close();
});

test("GET …/proof and /v1/consistency: files that verify offline, at any published size", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  const sizes: number[] = [];
  for (let n = 0; n < 20; n++) sizes.push((await log.submit([request(n)])).published.size);
  for (const size of ["", ...sizes.slice(4).map((s) => `?size=${s}`)]) {
    const file = new Uint8Array(await (await app.request(`/v1/entries/5/proof${size}`)).arrayBuffer());
    const verified = verifyEntry(request(3).bytes, file, trust);
    assert.equal(verified.index, 5);
    if (size !== "") assert.equal(verified.checkpoint.size, Number(size.slice(6)));
    assert.throws(() => verifyEntry(request(4).bytes, file, trust), /not of this statement/);
  }
  const asJson = await json(
    await app.request("/v1/entries/5/proof", { headers: { accept: "application/json" } }),
  );
  assert.equal((asJson["inclusion_proof"] as Body)["tree_size"], 22);
  const consistency = await json(await app.request("/v1/consistency?from=5&to=22"));
  const rootOf = async (size: number) =>
    openCheckpoint((await log.view.checkpointAt(size))?.checkpoint ?? utf8(""), logKey).checkpoint.root;
  verifyConsistency(5, 22, hashes(consistency["hashes"]), await rootOf(5), await rootOf(22));
  for (const [path, status, code] of [
    ["/v1/entries/5/proof?size=5", 404, "SIZE_UNPUBLISHED"],
    ["/v1/entries/5/proof?size=23", 404, "SIZE_UNPUBLISHED"],
    ["/v1/entries/5/proof?size=-1", 400, "QUERY_INVALID"],
    ["/v1/entries/5/proof?size=1&size=2", 400, "QUERY_INVALID"],
    ["/v1/entries/5/proof?sise=1", 400, "QUERY_INVALID"],
    ["/v1/entries/22", 404, "ENTRY_NOT_FOUND"],
    ["/v1/entries/22/proof", 404, "ENTRY_NOT_FOUND"],
    ["/v1/entries/-1", 400, "REF_MALFORMED"],
    ["/v1/entries/01", 400, "REF_MALFORMED"],
    ["/v1/entries/1e3", 400, "REF_MALFORMED"],
    ["/v1/entries/99999999999999999999", 400, "REF_MALFORMED"],
    [`/v1/entries/sha256:${"A".repeat(64)}`, 400, "REF_MALFORMED"],
    [`/v1/entries/sha256:${"a".repeat(64)}`, 404, "ENTRY_NOT_FOUND"],
    ["/v1/entries/%00", 400, "REF_MALFORMED"],
    ["/v1/consistency", 400, "QUERY_INVALID"],
    ["/v1/consistency?from=1", 400, "QUERY_INVALID"],
    ["/v1/consistency?from=5&to=2", 400, "QUERY_INVALID"],
    ["/v1/consistency?from=1&to=23", 404, "SIZE_UNPUBLISHED"],
    ["/v1/consistency?from=1.5&to=2", 400, "QUERY_INVALID"],
    ["/v1/log?x=1", 400, "QUERY_INVALID"],
    ["/v1/nothing", 404, "NOT_FOUND"],
    ["/", 404, "NOT_FOUND"],
    ["/add", 404, "NOT_FOUND"],
  ] as const) {
    await problem(await app.request(path), status, code);
  }
  assert.deepEqual(await json(await app.request("/v1/consistency?from=0&to=0")), {
    from: 0,
    to: 0,
    hashes: [],
  });
  await log.close();
});

test("methods: HEAD is GET without a body, OPTIONS says what there is, the rest is 405 with Allow", async () => {
  const log = await logWithAgent();
  const app = appOf(log);
  for (const path of ["/checkpoint", "/v1/log", "/v1/entries/0", "/tile/0/000.p/1", "/healthz"]) {
    const head = await app.request(path, { method: "HEAD" });
    assert.equal(head.status, 200, path);
    assert.equal(await head.text(), "");
    assert.equal(head.headers.get("access-control-allow-origin"), "*");
    const options = await app.request(path, { method: "OPTIONS" });
    assert.equal(options.status, 204);
    assert.equal(options.headers.get("allow"), "GET, HEAD, OPTIONS");
    const wrong = await app.request(path, { method: "DELETE" });
    assert.equal(wrong.headers.get("allow"), "GET, HEAD, OPTIONS");
    await problem(wrong, 405, "METHOD_NOT_ALLOWED");
  }
  const get = await app.request("/v1/entries");
  assert.equal(get.headers.get("allow"), "POST, OPTIONS");
  await problem(get, 405, "METHOD_NOT_ALLOWED");
  await problem(await app.request("/nothing", { method: "OPTIONS" }), 404, "NOT_FOUND");
  await log.close();
});

test("GET /v1/log says who, how large, by what policy and within what limits", async () => {
  const log = await logWithAgent();
  const body = await json(await appOf(log).request("/v1/log"));
  assert.deepEqual(body["verifier_keys"], [formatVerifierKey(logKey)]);
  assert.deepEqual([body["origin"], body["size"], body["version"]], [log.origin, 2, "test"]);
  assert.equal((body["policy"] as Body)["admission"], "registered");
  assert.equal((body["limits"] as Body)["max_entry_bytes"], 65_535);
  assert.equal(openCheckpoint(utf8(String(body["log_checkpoint"])), logKey).checkpoint.size, 2);
  await log.close();
});

test("a raw log takes bytes: POST /add answers the index, bare; tiles at every size of the specification's list", async () => {
  const log = await openLog(await newStore("raw"));
  const app = appOf(log);
  const add = await post(app, "/add", "hello", { "content-type": "application/octet-stream" });
  assert.deepEqual(
    [add.status, await add.text(), add.headers.get("content-type")],
    [200, "1", "text/plain; charset=utf-8"],
  );
  assert.equal(await (await post(app, "/add", "hello")).text(), "1");
  assert.equal(await (await post(app, "/add", "")).text(), "2");
  await problem(await post(app, "/add", "x".repeat(65_536)), 413, "BODY_TOO_LARGE");
  assert.equal(await (await post(app, "/add", "x".repeat(65_535))).text(), "3");
  assert.equal((await post(app, "/v1/entries", "anything", { "content-type": "" })).status, 201);
  const entry = await json(await app.request("/v1/entries/1"));
  assert.deepEqual(
    [entry["record_id"], entry["content_type"], entry["signers"], entry["statement"]],
    [null, null, [], Buffer.from("hello").toString("base64")],
  );

  const leaves: Hash[] = [];
  for (let i = 0; i < 5; i++) leaves.push((await log.read.entry(i)).leafHash);
  for (const size of [255, 256, 257, 65_535, 65_536, 65_537, 70_000]) {
    while (leaves.length < size) {
      const entries = Array.from({ length: Math.min(4000, size - leaves.length) }, (_, i) =>
        utf8(`e${leaves.length + i}`),
      );
      await log.submitRaw(entries);
      leaves.push(...entries.map(leafHash));
    }
    assert.equal(log.published.size, size);
    for (const id of tilesOf(size)) {
      if (id.width === 256 && id.index % 100 !== 0) continue;
      const response = await app.request(`/${formatTilePath(id)}`);
      assert.equal(response.status, 200, formatTilePath(id));
      assert.match(response.headers.get("cache-control") ?? "", /immutable/);
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(bytes.length, id.width * 32);
      if (id.level === 0)
        assert.deepEqual(bytes, Buffer.concat(leaves.slice(id.index * 256, id.index * 256 + id.width)));
    }
    const edge = Math.floor(size / 256);
    for (const path of [
      `tile/0/${formatTilePath({ kind: "hashes", level: 0, index: edge, width: 256 }).slice(7)}`,
      "tile/5/000.p/1",
      `tile/1/000.p/${tileWidth(1, 0, size) + 1}`,
    ]) {
      if (!path.endsWith("p/257")) await problem(await app.request(`/${path}`), 404, "NOT_FOUND");
    }
  }
  // Every partial of every earlier size is still served, by slicing; and with its full tile beside it.
  for (const width of [1, 2, 100, 255]) {
    const tile = Buffer.from(await (await app.request(`/tile/0/000.p/${width}`)).arrayBuffer());
    assert.deepEqual(tile, Buffer.concat(leaves.slice(0, width)));
    const bundle = new Uint8Array(
      await (
        await app.request(`/tile/entries/x001/x000/000.p/${width}`.replace("x001/x000/000", "000"))
      ).arrayBuffer(),
    );
    assert.deepEqual(
      parseBundle(bundle, width).map((e) => Buffer.from(leafHash(e))),
      leaves.slice(0, width).map((h) => Buffer.from(h)),
    );
  }
  const zipped = await app.request("/tile/entries/001", { headers: { "accept-encoding": "br, gzip;q=0.5" } });
  assert.equal(zipped.headers.get("content-encoding"), "gzip");
  assert.equal(parseBundle(gunzipSync(Buffer.from(await zipped.arrayBuffer())), 256).length, 256);
  const plain = await app.request("/tile/entries/001", { headers: { "accept-encoding": "gzip;q=0" } });
  assert.equal(plain.headers.get("content-encoding"), null);
  for (const path of [
    "/tile/0/000.p",
    "/tile/0/000.p/0",
    "/tile/0/000.p/256",
    "/tile/0/x000",
    "/tile/0/001/002",
    "/tile/0/x001/0002",
    "/tile/0/x000/001",
    "/tile/64/000",
    "/tile/0/x999/000",
    "/tile/",
    "/tile/0/%30%30%30",
    "/tile/0/..%2f000",
    "/tile/entries/x999/999",
  ]) {
    await problem(await app.request(path), 404, "NOT_FOUND");
  }
  await log.close();
});

test("a full pool is 503 with Retry-After, and so are bodies beyond the budget", async () => {
  const log = await logWithAgent({ pool: { entries: 1, bytes: 1_000_000 } });
  const app = appOf(log);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => post(app, "/v1/entries", request(n).bytes)),
  );
  const refused = answers.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0 && refused.length < 20);
  for (const response of refused) {
    assert.equal(response.headers.get("retry-after"), "1");
    assert.equal((await problem(response, 503, "POOL_FULL"))["retryable"], true);
  }
  const tight = createApp(log, { verifierKeys: [logKey], version: "test", bodyBudget: 10 });
  await problem(await post(tight, "/v1/entries", request(99).bytes), 503, "POOL_FULL");
  await log.close();
});
