/** The log as a whole: admission, places, proofs, recovery, faults. */
import type { Worker } from "node:worker_threads";
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPairSync } from "node:crypto";
import {
  expandRun,
  type Hash,
  leafHash,
  sameHash,
  verifyConsistency,
  verifyInclusion,
  verifyRun,
} from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { openCheckpoint } from "../../src/format/cosignature.js";
import { isPlaced, Log, type PlacedEntry, type SubmittedGroup } from "../../src/log/log.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import { fromJwk } from "../../src/statement/key.js";
import { secretSigner, signDsse } from "../../src/statement/sign.js";
import type { Json } from "../../src/statement/json.js";
import { MemoryStore } from "../../src/store/memory.js";
import { type Fault, FAULTS, FaultStore } from "../support/fault-store.js";
import {
  AGENT,
  agent,
  checkStore,
  cose,
  dsse,
  factMembers,
  keyOf,
  keyRecord,
  logKey,
  logWithAgent,
  newStore,
  openLog,
  ORIGIN,
  record,
  registrar,
  registration,
  request,
  signerOf,
  stranger,
} from "../support/log.js";

async function submitOne(log: Log, submission: Submission): Promise<PlacedEntry> {
  const { results } = await log.submit([submission]);
  const [result] = results;
  if (result === undefined || !isPlaced(result)) throw result ?? new Error("no result");
  return result;
}

async function refusal(log: Log, submission: Submission): Promise<string> {
  const before = log.published.size;
  const { results } = await log.submit([submission]);
  assert.equal(log.published.size, before, "a refused statement stores nothing");
  const [result] = results;
  assert.ok(result instanceof WritError, "it was admitted");
  return result.code;
}

async function verifyGroup(log: Log, { results, published }: SubmittedGroup): Promise<void> {
  const { checkpoint } = openCheckpoint(published.checkpoint, logKey);
  assert.equal(checkpoint.size, published.size);
  for (const result of results.filter(isPlaced)) {
    const hashes = await log.read.inclusion(result.index, checkpoint.size);
    verifyInclusion(result.index, checkpoint.size, leafHash(result.entry.stored), hashes, checkpoint.root);
  }
}

test("entry 0 is the log's policy, and the checkpoint of a new log covers it", async () => {
  const store = await newStore();
  const log = await openLog(store);
  assert.equal(log.published.size, 1);
  assert.equal(log.policy.origin, ORIGIN);
  assert.equal((await log.read.entry(0)).signers[0], signerOf(logKey).publicKey.keyId);
  assert.deepEqual(await log.read.find({ hash: (await log.read.entry(0)).recordId?.slice(7) ?? "" }), [0]);
  await log.close();
});

test("a key must be registered first; then DSSE and COSE by it are admitted, each under a verified proof", async () => {
  const log = await openLog(await newStore());
  assert.equal(await refusal(log, request(1)), "KEY_UNKNOWN");
  await submitOne(log, registration(agent, ["agent"], [AGENT]));
  for (const submission of [request(1), cose(record({ n: 2 }))]) {
    const group = await log.submit([submission]);
    assert.ok(group.results.every(isPlaced));
    await verifyGroup(log, group);
  }
  const es256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = es256.privateKey.export({ format: "jwk" });
  const key = fromJwk(jwk as unknown as Json);
  assert.ok(key);
  const signer = secretSigner(key, Buffer.from(jwk.d ?? "", "base64url"));
  await submitOne(log, registration(signer, ["agent"], [AGENT]));
  assert.equal((await submitOne(log, dsse(record({ n: 3 }), signer))).index, 5);
  assert.equal((await submitOne(log, cose(record({ n: 4 }), signer))).index, 6);
  await log.close();
});

test("the checks come in the order of the records page, each with its own code", async () => {
  const log = await logWithAgent();
  const good = record({ n: 1 });
  const flipped = (submission: Submission): Submission => {
    const envelope = JSON.parse(Buffer.from(submission.bytes).toString()) as {
      signatures: { sig: string }[];
    };
    for (const signature of envelope.signatures) signature.sig = Buffer.alloc(64, 1).toString("base64");
    return { ...submission, bytes: utf8(JSON.stringify(envelope)) };
  };
  const by = (payload: Json, signer = agent) => dsse(utf8(canonicalJson(payload)), signer);
  const base = { type: "action-request", v: 1, issuer: AGENT, issued_at: "2026-05-01T12:00:00Z" };
  const cases: readonly (readonly [string, Submission, string])[] = [
    ["oversized", dsse(record({ pad: "x".repeat(70_000) })), "ENTRY_TOO_LARGE"],
    ["oversized as sent", { bytes: new Uint8Array(200_000), form: "dsse" }, "ENTRY_TOO_LARGE"],
    ["empty", { bytes: new Uint8Array(0), form: "dsse" }, "ENVELOPE_MALFORMED"],
    ["truncated JSON", { bytes: dsse(good).bytes.subarray(0, -2), form: "dsse" }, "ENVELOPE_MALFORMED"],
    ["truncated CBOR", { bytes: cose(good).bytes.subarray(0, -2), form: "cose" }, "ENVELOPE_MALFORMED"],
    ["the other form", { ...cose(good), form: "dsse" }, "ENVELOPE_MALFORMED"],
    [
      "no keyid",
      { bytes: utf8('{"payload":"","payloadType":"x","signatures":[{"sig":""}]}'), form: "dsse" },
      "ENVELOPE_INVALID",
    ],
    ["an unknown key", dsse(good, stranger), "KEY_UNKNOWN"],
    ["an unknown key before a bad signature", flipped(dsse(good, stranger)), "KEY_UNKNOWN"],
    ["one known and one unknown key", dsse(good, agent, stranger), "KEY_UNKNOWN"],
    ["a bad signature", flipped(dsse(good)), "SIGNATURE_INVALID"],
    ["a bad signature before a bad record", flipped(dsse(utf8("{"))), "SIGNATURE_INVALID"],
    ["a record that is no JSON", dsse(utf8("{")), "RECORD_MALFORMED"],
    ["a duplicate member", dsse(utf8('{"type":"fact","type":"key"}')), "RECORD_MALFORMED"],
    ["no issuer", by({ ...base, issuer: "" }), "RECORD_MALFORMED"],
    ["another version", by({ ...base, v: 2 }), "RECORD_MALFORMED"],
    ["a day that is none", by({ ...base, issued_at: "2026-02-30T00:00:00Z" }), "RECORD_MALFORMED"],
    ["a local time", by({ ...base, issued_at: "2026-02-20T00:00:00+02:00" }), "RECORD_MALFORMED"],
    ["a long trace id", by({ ...base, trace_id: "x".repeat(129) }), "RECORD_MALFORMED"],
    ["an unprintable trace id", by({ ...base, trace_id: "a\u0007" }), "RECORD_MALFORMED"],
    ["an unknown type", by({ ...base, type: "wish" }), "RECORD_MALFORMED"],
    ["a second log-policy", by({ ...base, type: "log-policy" }), "RECORD_MALFORMED"],
    ["claims that name another issuer", cose(good, agent, "agent://else"), "RECORD_MALFORMED"],
    ["another issuer", by({ ...base, issuer: "agent://else" }), "ROLE_MISSING"],
    ["a type of another role", by({ ...base, type: "approval" }), "ROLE_MISSING"],
    [
      "a key record by an agent",
      by({ ...base, ...keyRecord(stranger, ["agent"], ["x"]), issuer: AGENT }),
      "ROLE_MISSING",
    ],
    ["a policy by the registrar", by({ ...base, type: "policy" }, registrar), "ROLE_MISSING"],
    ["a key record without roles", by({ ...keyRecord(stranger, [], ["x"]) }, registrar), "RECORD_INVALID"],
    [
      "a key record with an unknown role",
      by({ ...keyRecord(stranger, ["king"], ["x"]) }, registrar),
      "RECORD_INVALID",
    ],
    [
      "a key record of another key's id",
      by({ ...keyRecord(stranger, ["agent"], ["x"]), key_id: agent.publicKey.keyId }, registrar),
      "RECORD_INVALID",
    ],
    [
      "a key record with the wrong algorithm",
      by({ ...keyRecord(stranger, ["agent"], ["x"]), algorithm: "ES256" }, registrar),
      "RECORD_INVALID",
    ],
    [
      "a key of small order",
      by(
        {
          ...keyRecord(stranger, ["agent"], ["x"]),
          public_key: { kty: "OKP", crv: "Ed25519", x: Buffer.alloc(32).toString("base64url") },
        },
        registrar,
      ),
      "RECORD_INVALID",
    ],
  ];
  for (const [what, submission, code] of cases) assert.equal(await refusal(log, submission), code, what);
  await log.close();
});

test("a co-signer adds a signature, not authority; the same record by another key is a new entry with one record id", async () => {
  const log = await logWithAgent();
  const second = signerOf(keyOf("agent://acme/second", 9));
  await submitOne(log, registration(second, ["agent"], [AGENT]));
  const payload = record({ n: 1 });
  const first = await submitOne(log, dsse(payload));
  const other = await submitOne(log, dsse(payload, second));
  const both = await submitOne(log, dsse(payload, second, agent));
  assert.deepEqual([first.index, other.index, both.index], [3, 4, 5]);
  const { recordId } = await log.read.entry(3);
  assert.deepEqual(await log.read.find({ hash: recordId?.slice(7) ?? "" }), [3, 4, 5]);
  await log.close();
});

test("a registrar can make another registrar; foreign content is logged by known keys only", async () => {
  const log = await logWithAgent();
  const deputy = signerOf(keyOf("registrar://deputy", 10));
  await submitOne(log, registration(deputy, ["registrar"], ["registrar://deputy"]));
  const members = { ...keyRecord(stranger, ["recorder"], ["agent://nobody"]), issuer: "registrar://deputy" };
  await submitOne(log, dsse(record(members), deputy));
  await submitOne(log, dsse(record({ ...factMembers, issuer: "agent://nobody" }), stranger));
  const foreign: Submission = { bytes: signDsse("text/plain", utf8("hello"), agent), form: "dsse" };
  const placed = await submitOne(log, foreign);
  const entry = await log.read.entry(placed.index);
  assert.deepEqual([entry.recordId, entry.contentType, placed.entry.type], [null, "text/plain", null]);
  await log.close();
});

test("the same statement has one place: stored, in flight, or twice in a group; whatever form it comes in", async () => {
  const store = new FaultStore(new MemoryStore());
  const log = await logWithAgent({}, store);
  const first = await submitOne(log, request(1));
  const again = await submitOne(log, request(1));
  assert.deepEqual([first.isNew, again.isNew, first.index === again.index], [true, false, true]);

  const pretty = JSON.stringify(JSON.parse(Buffer.from(request(1).bytes).toString()), null, 2);
  assert.equal((await submitOne(log, { bytes: utf8(pretty), form: "dsse" })).index, first.index);

  let open = (): void => {};
  store.gate = new Promise((resolve) => (open = resolve));
  const racing = [
    log.submit([request(2)]),
    log.submit([request(3), request(2), request(3)]),
    log.submit([request(2)]),
  ];
  open();
  const groups = await Promise.all(racing);
  const indexes = groups.map(({ results }) =>
    results.map((result) => (isPlaced(result) ? [result.index, result.isNew] : null)),
  );
  const placesOfTwo = new Set(
    indexes
      .flat()
      .filter((_, i) => [0, 2, 4].includes(i))
      .map((place) => place?.[0]),
  );
  assert.equal(placesOfTwo.size, 1);
  assert.equal(indexes.flat().filter((place) => place?.[1]).length, 2);
  for (const group of groups) await verifyGroup(log, group);
  await log.close();
});

test("what arrives during a commit shares the next one: no timer, no commit an entry", async () => {
  const store = new FaultStore(new MemoryStore());
  const log = await logWithAgent({}, store);
  let open = (): void => {};
  store.gate = new Promise((resolve) => (open = resolve));
  const before = store.commits;
  const waiting = Array.from({ length: 200 }, (_, n) => log.submit([request(n)]));
  // The first commit is stalled; verification of the rest goes on meanwhile.
  while (store.commits === before) await new Promise((resolve) => setImmediate(resolve));
  open();
  const groups = await Promise.all(waiting);
  assert.ok(store.commits - before < 20, `${store.commits - before} commits for 200 entries`);
  for (const group of groups) await verifyGroup(log, group);
  await log.close();
  await assert.rejects(log.submit([request(1)]), /shutting down/);
});

test("groups stand in a row under one checkpoint, proven by one run; bad statements spoil nothing", async () => {
  const log = await logWithAgent();
  const groups = await Promise.all(
    [7, 1, 30, 256].map((count, g) =>
      log.submit([
        request(1),
        ...Array.from({ length: count }, (_, i) => request(1000 * (g + 1) + i)),
        dsse(record({ n: 1 }), stranger),
      ]),
    ),
  );
  for (const [g, group] of groups.entries()) {
    const { results, published } = group;
    assert.equal(results.filter((result) => result instanceof WritError).length, 1);
    const fresh = results.filter(isPlaced).filter(({ isNew }) => isNew);
    const start = fresh[0]?.index ?? 0;
    assert.deepEqual(
      fresh.map(({ index }) => index),
      fresh.map((_, i) => start + i),
    );
    const hashes = await log.read.run(start, start + fresh.length, published.size);
    const leaves = fresh.map(({ entry }) => entry.leafHash);
    verifyRun(start, published.size, leaves, hashes, published.root);
    expandRun(start, published.size, leaves, hashes).forEach((path, i) =>
      verifyInclusion(start + i, published.size, leaves[i] as Hash, path, published.root),
    );
    await verifyGroup(log, group);
    assert.equal(
      fresh.length,
      [7, 1, 30, 256][g]! +
        (g ===
        groups.findIndex(({ results: r }) =>
          r.some((x) => isPlaced(x) && x.isNew && sameHash(x.entry.stored, request(1).bytes)),
        )
          ? 1
          : 0),
    );
  }
  await log.close();
});

test("every size to 600 is consistent with every earlier one we look at, across tile borders and a restart", async () => {
  const store = await newStore("raw");
  let log = await openLog(store);
  const roots: Hash[] = [log.published.root];
  for (let n = 1; n < 600; n++) {
    const { published } = await log.submitRaw([utf8(`entry ${n}`)]);
    roots.push(published.root);
    if (n === 300) {
      await checkStore(store, 301);
      // Closing a memory store would end it; a log that is simply opened again is the harder case anyway.
      log = await openLog(store);
      assert.ok(sameHash(log.published.root, published.root));
    }
  }
  const rootAt = (size: number) => roots[size - 1] as Hash;
  for (const to of [2, 255, 256, 257, 511, 512, 513, 600]) {
    for (const from of [1, 2, 128, 255, 256, 257, 512, to].filter((size) => size <= to)) {
      verifyConsistency(from, to, await log.read.consistency(from, to), rootAt(from), rootAt(to));
    }
    for (const index of [0, 1, 127, 255, 256, 511, to - 1].filter((i) => i < to)) {
      const { leafHash: leaf } = await log.read.entry(index);
      verifyInclusion(index, to, leaf, await log.read.inclusion(index, to), rootAt(to));
    }
    assert.equal((await log.view.checkpointAt(to))?.size, to);
  }
  await assert.rejects(log.read.inclusion(0, 601), RangeError);
  await checkStore(store, 600);
  await log.close();
});

test("a full pool answers at once; when it has drained it takes again", async () => {
  const store = new FaultStore(new MemoryStore());
  const log = await logWithAgent({ pool: { entries: 4, bytes: 1_000_000 } }, store);
  let open = (): void => {};
  store.gate = new Promise((resolve) => (open = resolve));
  const held = [1, 2, 3, 4].map((n) => log.submit([request(n)]));
  await assert.rejects(
    log.submit([request(5)]),
    (error) => error instanceof WritError && error.code === "POOL_FULL",
  );
  open();
  await Promise.all(held);
  await submitOne(log, request(5));
  // A group beyond the whole pool is let in alone.
  const big = await log.submit(Array.from({ length: 9 }, (_, n) => request(100 + n)));
  assert.equal(big.results.filter(isPlaced).length, 9);
  await log.close();
});

test("the log's clock never goes back", async () => {
  let now = 5_000_000_000_000;
  const log = await logWithAgent({ now: () => now });
  const first = await submitOne(log, request(1));
  now = 1;
  const second = await submitOne(log, request(2));
  assert.equal(
    (await log.read.entry(second.index)).receivedAt,
    (await log.read.entry(first.index)).receivedAt,
  );
  await log.close();
});

test("a log opened with another key, or another name, refuses; an empty store is no log", async () => {
  const store = await newStore();
  const mismatch = (error: unknown) => error instanceof WritError && error.code === "LOG_KEY_MISMATCH";
  await assert.rejects(openLog(store, { key: keyOf(ORIGIN, 99) }), mismatch);
  await assert.rejects(openLog(store, { key: keyOf("log.example/other", 1) }), mismatch);
  await assert.rejects(
    openLog(new MemoryStore()),
    (error) => error instanceof WritError && error.code === "LOG_MISSING",
  );
});

/** What each fault does at each stage: is the log stopped by it, and is the entry in the log after recovery? */
const TABLE: Readonly<
  Record<Fault, { readonly code: string; readonly fatal: boolean; readonly kept: boolean }>
> = {
  "before commit": { code: "LOG_STOPPED", fatal: true, kept: false },
  "during commit": { code: "LOG_STOPPED", fatal: true, kept: true },
  "after commit": { code: "LOG_STOPPED", fatal: true, kept: true },
  "disk full": { code: "LOG_STOPPED", fatal: true, kept: false },
  "read error": { code: "STORE_FAILED", fatal: false, kept: false },
  closed: { code: "STORE_FAILED", fatal: false, kept: false },
};

for (const [name, { code, fatal, kept }] of Object.entries(TABLE)) {
  const fault = name as Fault;
  test(`fault, ${fault} (${FAULTS[fault]}), while submitting: nothing acknowledged is lost, nothing is half there`, async () => {
    const memory = new MemoryStore();
    const store = new FaultStore(memory);
    const fatals: WritError[] = [];
    const log = await logWithAgent({ onFatal: (error) => fatals.push(error) }, store);
    const acknowledged = await submitOne(log, request(1));
    store.fault = fault;
    const inner = fault === "closed" ? new MemoryStore() : memory;
    if (fault === "closed") await memory.close();
    await assert.rejects(
      log.submit([request(2)]),
      (error) => error instanceof WritError && error.code === code,
    );
    assert.equal(fatals.length, fatal ? 1 : 0);
    store.fault = null;
    if (fatal) {
      await assert.rejects(
        log.submit([request(3)]),
        (error) => error instanceof WritError && error.code === "LOG_STOPPED",
      );
      assert.equal(fatals.length, 1, "told once");
    }
    if (fault === "closed") return;
    const recovered = await openLog(inner);
    assert.equal(recovered.published.size, acknowledged.index + 1 + (kept ? 1 : 0));
    assert.equal((await submitOne(recovered, request(1))).isNew, false);
    const retried = await submitOne(recovered, request(2));
    assert.deepEqual([retried.index, retried.isNew], [acknowledged.index + 1, !kept]);
    await checkStore(inner, acknowledged.index + 2);
    await recovered.close();
  });
}

test("fault, read error, while reading: the answer fails, the log lives on", async () => {
  const store = new FaultStore(await newStore("raw", new MemoryStore()));
  const log = await openLog(store);
  await log.submitRaw(Array.from({ length: 600 }, (_, n) => utf8(`entry ${n}`)));
  const fresh = await openLog(store);
  store.fault = "read error";
  const failed = (error: unknown) => error instanceof WritError && error.code === "STORE_FAILED";
  await assert.rejects(fresh.read.entry(5), failed);
  await assert.rejects(fresh.read.inclusion(5, 601), failed);
  await assert.rejects(fresh.read.tile({ kind: "hashes", level: 0, index: 0, width: 256 }), failed);
  await assert.rejects(fresh.read.tile({ kind: "entries", index: 0, width: 256 }), failed);
  await assert.rejects(openLog(store), failed);
  store.fault = null;
  assert.equal((await fresh.read.inclusion(5, 601)).length > 0, true);
  assert.equal((await fresh.read.entry(5)).index, 5);
});

test("fsck finds what was changed: an entry, a tile, a row, a head", async () => {
  const store = new MemoryStore();
  const log = await openLog(await newStore("raw", store));
  await log.submitRaw(Array.from({ length: 300 }, (_, n) => utf8(`entry ${n}`)));
  await checkStore(store, 301);
  const inside = store as unknown as {
    log: Uint8Array[];
    tileData: Map<string, Uint8Array>;
    tables: Map<string, { rows: Map<string, unknown>; sorted: string[] | undefined }>;
    heads: { root: Uint8Array }[];
  };
  const { fsckStore } = await import("../../src/log/check/fsck.js");
  const faults = async () => (await fsckStore(store, logKey)).faults.join("\n");

  const entry = inside.log[7] as Uint8Array;
  inside.log[7] = utf8("another entry");
  assert.match(await faults(), /tile 0\/0 is not/);
  assert.match(await faults(), /another root/);
  inside.log[7] = entry;

  const tile = inside.tileData.get("0/0") as Uint8Array;
  inside.tileData.set("0/0", Uint8Array.from(tile).fill(1, 8200, 8201));
  assert.match(await faults(), /tile 0\/0 is not/);
  inside.tileData.delete("0/0");
  assert.match(await faults(), /tile 0\/0 is missing/);
  inside.tileData.set("0/0", tile);

  const table = inside.tables.get("entry-hash");
  assert.ok(table);
  const { rows } = table;
  const [[key, row] = []] = [...rows];
  rows.delete(key as string);
  assert.match(await faults(), /entry-hash row .* is missing/);
  rows.set(key as string, row);
  table.sorted = undefined;
  rows.set("00".repeat(32), { table: "entry-hash", key: new Uint8Array(32), value: new Uint8Array(8) });
  assert.match(await faults(), /entry-hash has 302 rows/);
  rows.delete("00".repeat(32));
  table.sorted = undefined;
  await checkStore(store, 301);
  inside.log.push(utf8("an orphan"));
  assert.match(await faults(), /entry 301 is there, beyond the head/);
  inside.log.pop();
  inside.tileData.set("0/1", tile);
  assert.match(await faults(), /tile 0\/1 is there, beyond the head/);
});

test("a verifier thread that dies is told of, fails only what it was asked, and the log goes on with another", async () => {
  const troubles: WritError[] = [];
  const log = await logWithAgent({ verifierThreads: 1, onTrouble: (error) => troubles.push(error) });
  // What no statement can do: the process takes the thread away, over the statement that it is asked about.
  const { verifiers } = (log as unknown as { parts: { verifiers: { threads: { worker: Worker }[] } } }).parts;
  const asked = log.submit([request(1)]);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  await verifiers.threads[0]?.worker.terminate();
  const [first] = (await asked).results;
  assert.ok(troubles.length === 1, "told");
  assert.ok(!(first instanceof Error) || (first instanceof WritError && first.code === "INTERNAL"));
  const [second] = (await log.submit([request(2)])).results;
  assert.ok(second !== undefined && !(second instanceof Error), "its keys are known to the next");
  await log.close();
});
