/** The two bits of every entry: what a record's state becomes there, what a cascade reaches, and that it all comes back. */
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { array, assert as check, asyncProperty, constantFrom, integer, tuple } from "fast-check";
import { readUint64, uint64, utf8 } from "../../src/format/bytes.js";
import {
  bitsOf,
  CONSUMED,
  LIST_BYTES,
  LIST_ENTRIES,
  readBits,
  REVOKED,
  SUSPENDED,
  VALID,
  writeBits,
} from "../../src/index/bits.js";
import { UNTOUCHED } from "../../src/index/state.js";
import { fsckStore } from "../../src/log/check/fsck.js";
import { listAsOf, StatusBits } from "../../src/log/state/bits.js";
import type { Log } from "../../src/log/log.js";
import { reindex } from "../../src/log/check/reindex.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { KeyTable } from "../../src/index/keys.js";
import { Sweeps } from "../../src/log/state/sweeps.js";
import { signDsse, type Signer } from "../../src/statement/sign.js";
import { RECORD_MEDIA_TYPE, recordIdOf } from "../../src/record/record.js";
import { LevelStore } from "../../src/store/level.js";
import { MemoryStore } from "../../src/store/memory.js";
import type { Store } from "../../src/store/contract.js";
import {
  checkStore,
  dsse,
  keyOf,
  keyRecord,
  logKey,
  newStore,
  openLog,
  record,
  registrar,
  registration,
  signerOf,
} from "../support/log.js";
import { consume, grant, granted, type GrantRef, put, revoke } from "../support/grants.js";
import { play, START, stageOf } from "../support/story.js";
import { RUNS } from "../support/runs.js";

async function bitsAt(log: Log, position: number): Promise<number> {
  const list = await log.statuses.list(Math.floor(position / LIST_ENTRIES));
  assert.ok(list !== null);
  return readBits(list.bits, position % LIST_ENTRIES);
}

/** Sweeps run behind the commits; this is when they are over. */
async function swept(log: Log): Promise<void> {
  while ((await log.statuses.list(0))?.sweptTo !== log.published.size) await new Promise(setImmediate);
}

test("bits are packed as the Token Status List says: least significant first", () => {
  const list = new Uint8Array(4);
  writeBits(list, 0, 1);
  writeBits(list, 1, 2);
  writeBits(list, 3, 3);
  writeBits(list, 15, 3);
  assert.deepEqual([...list], [0b11_00_10_01, 0, 0, 0b11_00_00_00]);
  writeBits(list, 1, 0);
  assert.equal(list[0], 0b11_00_00_01);
  assert.deepEqual(
    [0, 1, 3, 15].map((place) => readBits(list, place)),
    [1, 0, 3, 3],
  );
  assert.equal(bitsOf({ ...UNTOUCHED, uses: 2, revokedBy: 3, suspendedBy: 4 }, 1), REVOKED);
  assert.equal(bitsOf({ ...UNTOUCHED, uses: 2, suspendedBy: 4 }, 2), CONSUMED);
  assert.equal(bitsOf({ ...UNTOUCHED, uses: 2, suspendedBy: 4 }, 3), SUSPENDED);
  assert.equal(bitsOf({ ...UNTOUCHED, uses: 2 }, null), VALID);
});

test("each step of a grant shows at its position, as of every size, and in every entry that carries it", async () => {
  const { log, store, stage } = await play(granted);
  const { ref, bytes, submission } = grant(stage, 1, undefined, { max_uses: 2 });
  const [first = 0] = await put(log, submission);
  const seen: [number, number][] = [];
  const step = async (one: Submission): Promise<void> => {
    await put(log, one);
    seen.push([log.published.size, await bitsAt(log, first)]);
  };
  await step(revoke(stage, ref, "suspend"));
  await step(revoke(stage, ref, "resume"));
  await step(consume(stage, ref, 1, "one"));
  await step(consume(stage, ref, 1, "two"));
  // The same record in another envelope is another entry, and no better.
  const copy = {
    ...submission,
    bytes: signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority"), stage.signer("owner")),
  };
  const [second = 0] = await put(log, copy);
  assert.equal(await bitsAt(log, second), CONSUMED, "a copy that comes later");
  await step(revoke(stage, ref, "revoke"));
  assert.deepEqual(
    seen.map(([, bits]) => bits),
    [SUSPENDED, VALID, VALID, CONSUMED, REVOKED],
  );
  assert.equal(await bitsAt(log, second), REVOKED, "and one that is there already");
  for (const [size, bits] of seen) {
    const list = await listAsOf(store, 0, size);
    assert.equal(readBits(list, first), bits, `as of ${size}`);
  }
  await checkStore(store, log.published.size);
  await log.close();
});

test("what waited for a grant that is born taken back, or too far below others, makes one row of each", async () => {
  for (const action of ["suspend", "revoke", "resume"] as const) {
    const { log, store, stage } = await play(granted);
    const top = grant(stage, "top", undefined, { max_uses: 100 });
    const below = grant(stage, "below", top.ref);
    await put(log, top.submission);
    await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
    await put(log, revoke(stage, below.ref, action));
    const [place = 0] = await put(log, below.submission);
    await swept(log);
    assert.equal(await bitsAt(log, place), REVOKED, action);
    await checkStore(store, log.published.size);
    await reindex(store, logKey);
    await checkStore(store, log.published.size);
    await log.close();
  }
});

test("a grant below more than are looked at is never called valid, whatever is said of it", async () => {
  const { log, store, stage } = await play(granted);
  let above: GrantRef | undefined;
  for (let n = 0; n < 33; n++) {
    const one = grant(stage, `level ${n}`, above, { max_uses: 100 });
    await put(log, one.submission);
    above = one.ref;
  }
  const deep = grant(stage, "deep", above);
  const early = grant(stage, "early", above);
  await put(log, revoke(stage, early.ref, "suspend"));
  const [place = 0] = await put(log, deep.submission);
  const [waited = 0] = await put(log, early.submission);
  for (const action of ["suspend", "resume"] as const) {
    await put(log, revoke(stage, deep.ref, action));
    assert.equal(await bitsAt(log, place), REVOKED, action);
  }
  assert.equal(await bitsAt(log, waited), REVOKED);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a revocation by somebody who may not is logged and changes no bit", async () => {
  const { log, store, stage } = await play(granted);
  const { ref, submission } = grant(stage, 1);
  const [first = 0] = await put(log, submission);
  const mallory = signerOf(keyOf("authority://mallory", 77));
  await put(log, registration(mallory, ["authority"], ["authority://mallory"]));
  await put(log, revoke(stage, ref, "revoke", {}, mallory, "authority://mallory"));
  assert.equal(await bitsAt(log, first), VALID);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a cascade reaches every grant below, those that came before it and those that come after, whatever the order", async () => {
  const { log, store, stage } = await play(granted);
  const top = grant(stage, "top", undefined, { max_uses: 100 });
  const middle = grant(stage, "middle", top.ref, { max_uses: 100 });
  const low = grant(stage, "low", middle.ref);
  const late = grant(stage, "late", middle.ref);
  const beside = grant(stage, "beside");
  const orphanParent = grant(stage, "orphan-parent", top.ref, { max_uses: 3 });
  const orphan = grant(stage, "orphan", orphanParent.ref);
  const places = await put(log, ...[top, middle, low, beside, orphan].map(({ submission }) => submission));
  await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
  await swept(log);
  const bits = (indexes: readonly number[]): Promise<number[]> =>
    Promise.all(indexes.map((index) => bitsAt(log, index)));
  assert.deepEqual(await bits(places), [REVOKED, REVOKED, REVOKED, VALID, VALID]);
  const after = await put(log, late.submission, orphanParent.submission);
  await swept(log);
  assert.deepEqual(await bits(after), [REVOKED, REVOKED], "born below a revoked one");
  assert.equal(await bitsAt(log, places[4] ?? 0), REVOKED, "its parent came last");
  // Nothing below it can be brought back.
  await put(log, revoke(stage, late.ref, "suspend"), revoke(stage, late.ref, "resume"));
  assert.equal(await bitsAt(log, after[0] ?? 0), REVOKED);
  const { size } = log.published;
  await checkStore(store, size);
  const before = await everyBit(store, size);
  await reindex(store, logKey);
  await checkStore(store, size);
  assert.deepEqual(await everyBit(store, size), before, "made again from the entries");
  await log.close();
});

test("without cascade the bits below stay, and whoever asks about one below is told all the same", async () => {
  const { log, store, stage } = await play(granted);
  const top = grant(stage, "top", undefined, { max_uses: 9 });
  const child = grant(stage, "child", top.ref);
  const [, below = 0] = await put(log, top.submission, child.submission);
  const [by = 0] = await put(log, revoke(stage, top.ref));
  await swept(log);
  assert.equal(await bitsAt(log, below), VALID);
  const { status } = await log.statuses.of(below);
  assert.deepEqual(status, { state: "revoked", decidedBy: [by] });
  const [refused] = (await log.submit([consume(stage, child.ref, "child")])).results;
  assert.equal(refused instanceof Error && "code" in refused ? refused.code : "", "GRANT_REVOKED");
  await checkStore(store, log.published.size);
  await log.close();
});

test("a key that was stolen takes with it what it signed since: to the gate and to whoever asks at once, in the lists soon", async () => {
  const { log, store, stage } = await play(granted);
  const authority = stage.party("authority").id;
  const stolen = signerOf(keyOf(authority, 78));
  const keyBytes = record(keyRecord(stolen, ["authority"], [authority]));
  await put(log, dsse(keyBytes, registrar));
  const good = grant(stage, "good", undefined, {}, stolen);
  const bad = grant(stage, "bad", undefined, {}, stolen);
  const own = grant(stage, "own");
  const [goodAt = 0, badAt = 0, ownAt = 0] = await put(log, good.submission, bad.submission, own.submission);
  const members = {
    type: "revocation",
    v: 1,
    issuer: "log.example/test/registrar",
    issued_at: stage.time(1),
    target: recordIdOf(keyBytes),
    action: "revoke",
    reason: "stolen",
    effective_index: goodAt,
  };
  const [by = 0] = await put(log, dsse(utf8(JSON.stringify(members)), registrar));
  assert.deepEqual((await log.statuses.of(badAt)).status, { state: "revoked", decidedBy: [by] });
  assert.equal((await log.statuses.of(badAt, by)).status.state, "active", "as it was known then");
  assert.equal((await log.statuses.of(goodAt)).status.state, "active");
  const [refused] = (await log.submit([consume(stage, bad.ref, "bad")])).results;
  assert.equal(refused instanceof Error && "code" in refused ? refused.code : "", "GRANT_REVOKED");
  await put(log, consume(stage, good.ref, "good"));
  await swept(log);
  assert.deepEqual(
    [await bitsAt(log, goodAt), await bitsAt(log, badAt), await bitsAt(log, ownAt)],
    [CONSUMED, REVOKED, VALID],
  );
  await checkStore(store, log.published.size);
  await log.close();
});

async function everyBit(store: Store, size: number): Promise<number[]> {
  const list = await listAsOf(store, 0, size);
  return Array.from({ length: size }, (_, i) => readBits(list, i));
}

test("a log that is killed in the middle of a cascade ends it after the next start, and fsck knows the difference", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-bits-"));
  const level = await LevelStore.open(folder, { create: true });
  const store = await newStore("registered", level);
  const stage = stageOf(granted);
  const { log } = await play(granted, { store, stage, log: await openLog(store, { now: () => START }) });
  const top = grant(stage, "top", undefined, { max_uses: 9 });
  const children = Array.from({ length: 2500 }, (_, n) => grant(stage, n, top.ref));
  await put(log, top.submission);
  const places = await put(log, ...children.map(({ submission }) => submission));
  // The store fails at its second page of the cascade: what a crash between two of them leaves behind.
  const putRows = level.putRows.bind(level);
  let pages = 0;
  const stalled = new Promise<void>((resolve) => {
    level.putRows = async (rows) => {
      if (++pages < 2) return putRows(rows);
      resolve();
      return new Promise(() => {});
    };
  });
  await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
  await stalled;
  const { size } = log.published;
  assert.ok(((await log.statuses.list(0))?.sweptTo ?? 0) < size, "the list says what it does not have yet");
  await level.close();
  const again = await LevelStore.open(folder);
  assert.deepEqual(await fsckStore(again, logKey), { size, faults: [] });
  const reopened = await openLog(again, { now: () => START });
  await swept(reopened);
  for (const place of places) assert.equal(await bitsAt(reopened, place), REVOKED);
  await checkStore(again, size);
  await reopened.close();
});

test("bits that are not those of the entries are found", async () => {
  const { log, store, stage } = await play(granted);
  const top = grant(stage, "top", undefined, { max_uses: 9 });
  const child = grant(stage, "child", top.ref);
  const [place = 0, below = 0] = await put(log, top.submission, child.submission);
  const [by = 0] = await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
  await swept(log);
  const { size } = log.published;
  const tampered = async (table: "bits" | "swept", key: Uint8Array, value: Uint8Array): Promise<string[]> => {
    const [before] = await store.lookup(table, [key]);
    await store.putRows([{ table, key, value }]);
    const { faults } = await fsckStore(store, logKey);
    if (before !== undefined) await store.putRows([{ table, key, value: before }]);
    return [...faults];
  };
  assert.deepEqual(
    await tampered("bits", Uint8Array.from([...uint64(by), ...uint64(place)]), Uint8Array.of(0)),
    [`bits row ${Buffer.from([...uint64(by), ...uint64(place)]).toString("hex")} is wrong`],
  );
  assert.deepEqual(await tampered("swept", uint64(below), uint64(by - 1)), [
    `swept row ${Buffer.from(uint64(below)).toString("hex")} is wrong`,
  ]);
  await checkStore(store, size);
  assert.deepEqual(await tampered("swept", uint64(0), uint64(by)), [
    "table swept has 2 rows, its entries make 1",
  ]);
  await log.close();
});

test("lists kept whole and changes since: any size of the past, and a restart, give what a replay gives", async () => {
  await check(
    asyncProperty(
      array(tuple(integer({ min: 0, max: 40 }), constantFrom(0, 1, 2, 3)), {
        minLength: 1,
        maxLength: 60,
      }),
      integer({ min: 200, max: 700 }),
      async (steps, width) => {
        const store = new MemoryStore();
        const bits = StatusBits.empty();
        const model: number[] = [];
        const history: number[][] = [];
        let at = 0;
        for (const [offset, value] of steps) {
          // Many changes by one entry, some of them in the second list.
          const changes = Array.from({ length: width }, (_, i) => ({
            at,
            position: offset + i + (i % 3 === 0 ? LIST_ENTRIES : 0),
            bits: value,
          }));
          for (const { position } of changes) model[position] = value;
          await store.putRows(bits.plan(changes));
          bits.apply();
          at++;
          history.push([...model.keys()].map((position) => model[position] ?? 0));
        }
        for (const size of [1, Math.ceil(at / 2), at]) {
          const lists = [await listAsOf(store, 0, size), await listAsOf(store, 1, size)];
          const want = history[size - 1] ?? [];
          const got = want.map((_, position) =>
            readBits(lists[Math.floor(position / LIST_ENTRIES)] as Uint8Array, position % LIST_ENTRIES),
          );
          assert.deepEqual(got, want);
        }
        assert.deepEqual(Buffer.from(bits.list(1)), Buffer.from(await listAsOf(store, 1, at)));
        assert.equal(bits.list(0).length, LIST_BYTES);
      },
    ),
    { numRuns: Math.min(RUNS, 20) },
  );
});

test("rounds are kept, and an open log reads them", async () => {
  const store = new MemoryStore();
  const bits = StatusBits.empty();
  for (let at = 0; at < 10; at++) {
    await store.putRows(
      bits.plan(Array.from({ length: 1000 }, (_, i) => ({ at, position: at * 1000 + i, bits: REVOKED }))),
    );
    bits.apply();
  }
  const rounds = await store.rows("bit-round", new Uint8Array(0));
  assert.deepEqual(
    rounds.map(({ key }) => readUint64(key)),
    [4, 9],
  );
  assert.ok(bits.bytes <= 2 * LIST_BYTES);
});

/** The same store, opened again: nothing but what is in it is remembered. */
async function restarted(store: Store): Promise<Log> {
  return openLog(store, { now: () => START });
}

test("a used grant stays used over a restart, whatever is said of it then", async () => {
  const { store, log: first, stage } = await play(granted);
  const { ref, submission } = grant(stage, 1);
  const [place = 0] = await put(first, submission);
  await put(first, consume(stage, ref, 1));
  const log = await restarted(store);
  await put(log, revoke(stage, ref, "suspend"));
  await put(log, revoke(stage, ref, "resume"));
  assert.equal(await bitsAt(log, place), CONSUMED);
  assert.equal((await log.statuses.of(place)).status.state, "consumed");
  await checkStore(store, log.published.size);
  await log.close();
});

test("a revocation that came before its target acts once, when the target comes, and not again after a restart", async () => {
  const withheld: typeof granted = {
    ...granted,
    steps: granted.steps.map((step) => (step.name === "request" ? { ...step, withheld: true } : step)),
  };
  const { store, log: first, stage } = await play(withheld);
  const { ref, submission } = grant(stage, 1);
  await put(first, revoke(stage, ref, "resume"));
  const [place = 0] = await put(first, submission);
  await put(first, revoke(stage, ref, "suspend", { n: 2 }));
  const log = await restarted(store);
  const request = stage.ref("action-request", "request");
  const [, ...rest] = await put(log, dsse(stage.bytes("request"), stage.signer("agent")));
  assert.deepEqual(rest, [], request.id);
  assert.equal(await bitsAt(log, place), SUSPENDED);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a stolen registrar takes the keys that it registered with it, and what those signed", async () => {
  const { store, log, stage } = await play(granted);
  const authority = stage.party("authority").id;
  const [second, invented] = [
    signerOf(keyOf("log.example/test/registrar2", 81)),
    signerOf(keyOf(authority, 82)),
  ];
  const secondBytes = record(keyRecord(second, ["registrar"], ["log.example/test/registrar2"]));
  const [at = 0] = await put(log, dsse(secondBytes, registrar));
  const inventedBytes = record({
    ...keyRecord(invented, ["authority"], [authority]),
    issuer: "log.example/test/registrar2",
  });
  await put(log, dsse(inventedBytes, second));
  const bad = grant(stage, "bad", undefined, {}, invented);
  const [place = 0] = await put(log, bad.submission);
  const members = {
    type: "revocation",
    v: 1,
    issuer: "log.example/test/registrar",
    issued_at: stage.time(1),
    target: recordIdOf(secondBytes),
    action: "revoke",
    reason: "stolen",
    effective_index: at,
  };
  const [by = 0] = await put(log, dsse(utf8(JSON.stringify(members)), registrar));
  assert.deepEqual((await log.statuses.of(place)).status, { state: "revoked", decidedBy: [by] });
  const [refused] = (await log.submit([consume(stage, bad.ref, "bad")])).results;
  assert.equal(refused instanceof Error && "code" in refused ? refused.code : "", "GRANT_REVOKED");
  await swept(log);
  assert.equal(await bitsAt(log, place), REVOKED);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a key is taken back by the key table's rules: not by itself, and not before it is known", async () => {
  const { store, log, stage } = await play(granted);
  const other = signerOf(keyOf("log.example/test/registrar2", 81));
  const bytes = record(keyRecord(other, ["registrar"], ["log.example/test/registrar2"]));
  const revocation = (by: Signer, issuer: string, n: number): Submission =>
    dsse(
      utf8(
        JSON.stringify({
          type: "revocation",
          v: 1,
          issuer,
          issued_at: stage.time(n),
          target: recordIdOf(bytes),
          action: "revoke",
          reason: "a test",
        }),
      ),
      by,
    );
  await put(log, revocation(registrar, "log.example/test/registrar", 1));
  const [place = 0] = await put(log, dsse(bytes, registrar));
  await put(log, revocation(other, "log.example/test/registrar2", 2));
  assert.equal(await bitsAt(log, place), VALID);
  assert.equal((await log.statuses.of(place)).status.state, "active");
  await put(log, revocation(registrar, "log.example/test/registrar", 3));
  assert.equal(await bitsAt(log, place), REVOKED);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a further entry of a grant that was taken along is no better, and one too deep to be followed is not called valid", async () => {
  const { store, log, stage } = await play(granted);
  const top = grant(stage, "top", undefined, { max_uses: 99 });
  const child = grant(stage, "child", top.ref);
  await put(log, top.submission, child.submission);
  await put(log, revoke(stage, top.ref, "revoke", { cascade: true }));
  await swept(log);
  const bytes = signDsse(RECORD_MEDIA_TYPE, child.bytes, stage.signer("authority"), stage.signer("owner"));
  const [copy = 0] = await put(log, { bytes, form: "dsse" });
  assert.equal(await bitsAt(log, copy), REVOKED);
  let last = grant(stage, "deep-0", undefined, { max_uses: 99 });
  const places = await put(log, last.submission);
  for (let depth = 1; depth < 40; depth++) {
    last = grant(stage, `deep-${depth}`, last.ref, { max_uses: 99 });
    places.push(...(await put(log, last.submission)));
  }
  for (const [depth, place] of places.entries()) {
    const { state } = (await log.statuses.of(place)).status;
    const isValid = (await bitsAt(log, place)) === VALID;
    assert.equal(isValid, state === "active", `depth ${depth}: ${state}`);
  }
  await checkStore(store, log.published.size);
  await log.close();
});

test("a grant that has expired since the last entry has expired, as of the newest size too", async () => {
  const clock = { now: START };
  const store = await newStore();
  const log = await openLog(store, { now: () => clock.now });
  const { stage } = await play(granted, { store, log, stage: stageOf(granted) });
  const { submission } = grant(stage, 1, undefined, { expiry: new Date(START + 1000).toISOString() });
  const [place = 0] = await put(log, submission);
  clock.now = START + 2000;
  assert.equal((await log.statuses.of(place)).status.state, "expired");
  assert.equal((await log.statuses.of(place, log.published.size)).status.state, "expired");
  await log.close();
});

test("what is added in the very moment in which the sweeps end is swept too", async () => {
  const { store, log, stage } = await play(granted);
  const keys = new KeyTable({
    registrars: [],
    logKey: null,
    policyId: "",
    origin: "",
    rulesVersion: 2,
  });
  for (let turns = 0; turns < 40; turns++) {
    const sweeps = await Sweeps.open(store, keys, () => {});
    const sweep = { kind: "grants-below", of: stage.id("grant").slice("sha256:".length), from: 0 } as const;
    sweeps.add([{ ...sweep, at: 1_000 + 2 * turns }]);
    const first = sweeps.run();
    let over = false;
    void first.then(() => (over = true));
    while (sweeps.pendingFrom !== Number.POSITIVE_INFINITY) await Promise.resolve();
    for (let n = 0; n < turns; n++) await Promise.resolve();
    sweeps.add([{ ...sweep, at: 1_001 + 2 * turns }]);
    await sweeps.run();
    await first;
    assert.ok(over);
    assert.equal(sweeps.pendingFrom, Number.POSITIVE_INFINITY, `after ${turns} turns`);
  }
  await log.close();
});

test("several revocations that waited for one record: what the last made of it, once", async () => {
  const { store, log, stage } = await play(granted);
  const { ref, submission } = grant(stage, 1);
  await put(log, revoke(stage, ref, "suspend"), revoke(stage, ref, "resume"), revoke(stage, ref, "revoke"));
  const [place = 0] = await put(log, submission);
  assert.equal(await bitsAt(log, place), REVOKED);
  await checkStore(store, log.published.size);
  await log.close();
});
