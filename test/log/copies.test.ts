/** One record in many envelopes: every one of them is what the record is, and a change of it costs one row. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { test } from "node:test";
import { CONSUMED, LIST_ENTRIES, readBits, REVOKED, SUSPENDED, VALID } from "../../src/index/bits.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { fsckStore } from "../../src/log/check/fsck.js";
import { reindex } from "../../src/log/check/reindex.js";
import type { Log } from "../../src/log/log.js";
import { listAsOf } from "../../src/log/state/bits.js";
import { recordIdOf } from "../../src/record/record.js";
import { fromJwk } from "../../src/statement/key.js";
import type { Signer } from "../../src/statement/sign.js";
import { MemoryStore } from "../../src/store/memory.js";
import type { Row, Store } from "../../src/store/contract.js";
import { consume, grant, granted, put, revoke } from "../support/grants.js";
import {
  AGENT,
  checkStore,
  dsse,
  keyOf,
  keyRecord,
  logKey,
  logWithAgent,
  openLog,
  record,
  registrar,
  registration,
  signerOf,
} from "../support/log.js";
import { SLOW } from "../support/runs.js";
import { play } from "../support/story.js";

/** A P-256 key of which every signature is another: each makes another envelope of the same record. */
function fickle(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const known = fromJwk(publicKey.export({ format: "jwk" }) as { kty: string });
  assert.ok(known !== undefined);
  const sign = (message: Uint8Array): Uint8Array => {
    const signature = signBytes("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
    return isLow(signature) ? signature : sign(message);
  };
  return { publicKey: known, sign };
}

/** What the log takes: s in the lower half. */
function isLow(signature: Uint8Array): boolean {
  return (signature[32] ?? 0) < 0x7f;
}

async function submitAll(log: Log, all: readonly Submission[]): Promise<number[]> {
  const places: number[] = [];
  for (let at = 0; at < all.length; at += 500)
    for (const result of (await log.submit(all.slice(at, at + 500))).results) {
      if (result instanceof Error) throw result;
      places.push(result.index);
    }
  return places;
}

const CFO = "user://acme/cfo";
const cfo = signerOf(keyOf(CFO, 39));

async function logWithFickle(store: Store): Promise<{ log: Log; signer: Signer }> {
  const log = await logWithAgent({}, store);
  const signer = fickle();
  await submitAll(log, [
    registration(signer, ["agent"], [AGENT]),
    dsse(record(keyRecord(cfo, ["owner"], [CFO])), registrar),
  ]);
  return { log, signer };
}

async function rowsIn(store: Store, table: Row["table"]): Promise<number> {
  return (await store.rows(table, new Uint8Array(0))).length;
}

async function bitsIn(log: Log, places: readonly number[]): Promise<number[]> {
  const list = await log.statuses.list(0);
  assert.ok(list !== null);
  return [...new Set(places.map((place) => readBits(list.bits, place)))];
}

const COPIES = SLOW ? 20_000 : 1200;

test(`${COPIES} copies of a record: each is what the record is, at every size, and each change of it is one row and holds nobody up`, async () => {
  const store = new MemoryStore();
  const { log, signer } = await logWithFickle(store);
  const bytes = record({ trace_id: "copied" });
  const places = await submitAll(
    log,
    Array.from({ length: COPIES }, () => dsse(bytes, signer)),
  );
  assert.equal(new Set(places).size, COPIES, "as many entries");
  assert.equal(await rowsIn(store, "copy"), COPIES - 1);
  assert.equal(await rowsIn(store, "copied"), 2, "one for the record, one for the list that they are in");
  const seen: [number, number][] = [];
  const versions = new Set([log.statuses.versions(0).version]);
  for (const [n, action] of (["suspend", "resume", "revoke"] as const).entries()) {
    const value = { type: "revocation", issuer: CFO, target: recordIdOf(bytes), action, reason: `no ${n}` };
    const before = await rowsIn(store, "bits");
    const began = performance.now();
    await submitAll(log, [dsse(record(value), cfo)]);
    const took = performance.now() - began;
    assert.equal((await rowsIn(store, "bits")) - before, 1, `${action}: one row`);
    assert.ok(took < 1000, `${action} took ${took} ms`);
    const [bits = VALID, ...others] = await bitsIn(log, places);
    assert.deepEqual(others, [], `${action}: all alike`);
    seen.push([log.published.size, bits]);
    versions.add(log.statuses.versions(0).version);
  }
  assert.deepEqual(
    seen.map(([, bits]) => bits),
    [SUSPENDED, VALID, REVOKED],
  );
  assert.equal(versions.size, 4, "and each shows in the version of the list");
  for (const [size, bits] of seen) {
    const list = await listAsOf(store, 0, size);
    assert.deepEqual([...new Set(places.map((place) => readBits(list, place)))], [bits], `as of ${size}`);
  }
  // One that comes now is no better, alone or with another change of its own batch.
  const { version } = log.statuses.versions(0);
  const late = await submitAll(log, [dsse(bytes, signer), dsse(bytes, signer)]);
  assert.deepEqual(await bitsIn(log, late), [REVOKED]);
  assert.notEqual(log.statuses.versions(0).version, version, "whoever keeps the list makes it again");
  await checkStore(store, log.published.size);
  const list = await log.statuses.list(0);
  const again = await openLog(store);
  assert.deepEqual(Buffer.from((await again.statuses.list(0))?.bits ?? []), Buffer.from(list?.bits ?? []));
  await reindex(store, logKey);
  const remade = await openLog(store);
  assert.deepEqual(Buffer.from((await remade.statuses.list(0))?.bits ?? []), Buffer.from(list?.bits ?? []));
  await checkStore(store, remade.published.size);
  await remade.close();
});

test("a copy and a change of its record in one batch, in either order, and a copy before its record's revocation arrives", async () => {
  for (const order of ["copy first", "change first"]) {
    const store = new MemoryStore();
    const { log, signer } = await logWithFickle(store);
    const bytes = record({ trace_id: order });
    const gone = {
      type: "revocation",
      issuer: CFO,
      target: recordIdOf(bytes),
      action: "revoke",
      reason: "gone",
    };
    const batch = [dsse(bytes, signer), dsse(record(gone), cfo)];
    const [first = 0] = await submitAll(log, order === "copy first" ? [dsse(bytes, signer)] : []);
    const places = await submitAll(log, order === "copy first" ? batch : batch.toReversed());
    const mine = order === "copy first" ? [first, places[0] ?? 0] : [places[1] ?? 0];
    const more = await submitAll(log, [dsse(bytes, signer)]);
    assert.deepEqual(await bitsIn(log, [...mine, ...more]), [REVOKED], order);
    await checkStore(store, log.published.size);
    await log.close();
  }
});

test("what is found by a record's name are all its entries, in order, forwards, backwards and from anywhere", async () => {
  const store = new MemoryStore();
  const { log, signer } = await logWithFickle(store);
  const bytes = record({ trace_id: "found" });
  const between = (n: number): Submission => dsse(record({ trace_id: `other ${n}` }), signer);
  const all: Submission[] = [];
  for (let n = 0; n < 5; n++) all.push(dsse(bytes, signer), between(n));
  const places = (await submitAll(log, all)).filter((_, i) => i % 2 === 0);
  const { size } = log.published;
  const hash = recordIdOf(bytes).slice("sha256:".length);
  assert.deepEqual(await log.read.find({ hash }), places);
  const { placesOf } = await import("../../src/log/admit/places.js");
  const name = Buffer.from(hash, "hex");
  for (let from = 0; from <= size; from++)
    for (let to = from; to <= size; to++)
      for (const limit of [1, 2, 9])
        for (const reverse of [false, true]) {
          const inSpan = places.filter((place) => place >= from && place < to);
          const want = (reverse ? inSpan.toReversed() : inSpan).slice(0, limit);
          assert.deepEqual(await placesOf(store, name, { from, to, limit, reverse }), want);
        }
  await log.close();
});

test("an index of another version is said in a line, and the entries are checked all the same", async () => {
  const store = new MemoryStore();
  const { log, signer } = await logWithFickle(store);
  await submitAll(log, [dsse(record({ trace_id: "one" }), signer)]);
  await store.putRows([{ table: "meta", key: Buffer.from("index-version"), value: Uint8Array.of(1) }]);
  const { faults } = await fsckStore(store, logKey);
  assert.equal(faults.length, 1);
  assert.match(
    faults[0] ?? "",
    /^the index is missing, unfinished or of another version: a start makes it again/,
  );
  await reindex(store, logKey);
  await checkStore(store, log.published.size);
  await log.close();
});

test("copies of a grant are consumed with it, and swept with those above it, in whatever list they stand", async () => {
  const { log, store, stage } = await play(granted);
  const top = grant(stage, "top", undefined, { max_uses: 100 });
  const below = grant(stage, "below", top.ref);
  await put(log, top.submission);
  await put(log, below.submission);
  const copy = (of: typeof below): Submission =>
    dsse(of.bytes, stage.signer("authority"), stage.signer("owner"));
  const [copied = 0] = await put(log, copy(below));
  await put(log, consume(stage, below.ref, "below", "one"));
  assert.deepEqual(await bitsIn(log, [copied]), [CONSUMED]);
  await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
  while ((await log.statuses.list(0))?.sweptTo !== log.published.size) await new Promise(setImmediate);
  assert.deepEqual(await bitsIn(log, [copied]), [REVOKED]);
  const list = await listAsOf(store, 0, log.published.size);
  assert.equal(readBits(list, copied), REVOKED);
  const [late = 0] = await put(log, copy(top));
  assert.deepEqual(await bitsIn(log, [late]), [REVOKED], "one of the grant above, too");
  assert.ok(late < LIST_ENTRIES);
  await checkStore(store, log.published.size);
  await log.close();
});
