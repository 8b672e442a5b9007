/**
 * Durability as a power cut tests it: through seams that lose what was not synced, a store and a file. And a few ways in which a log
 * could stop or forget that nothing else here would notice.
 */
import assert from "node:assert/strict";
import { mkdtemp, open, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "#crypto";
import { Level } from "level";
import { signCheckpoint } from "../../src/format/cosignature.js";
import { toHex, uint64, utf8 } from "../../src/format/bytes.js";
import { KeyTable } from "../../src/index/keys.js";
import { reopen } from "../../src/log/check/start.js";
import { keyRoots } from "../../src/log/state/key-history.js";
import { childRow, Sweeps, type Sweep, sweepRow } from "../../src/log/state/sweeps.js";
import { openLogPolicy } from "../../src/record/log-policy.js";
import { LevelStore } from "../../src/store/level.js";
import { MemoryStore } from "../../src/store/memory.js";
import { Journal } from "../../witness/journal.js";
import {
  AGENT,
  agent,
  checkStore,
  dsse,
  keyRecord,
  logKey,
  newStore,
  openLog,
  record,
  registrar,
} from "../support/log.js";

/** While `use` runs, every write of a database that is not synced is lost, as a power cut would. */
async function losingUnsynced<T>(use: () => Promise<T>): Promise<T> {
  const probe = new Level(await mkdtemp(join(tmpdir(), "writ-probe-")));
  await probe.open();
  const chained = Object.getPrototypeOf(Object.getPrototypeOf(probe.batch())) as {
    write: (this: object, options?: { sync?: boolean }) => Promise<void>;
  };
  await probe.close();
  const { write } = chained;
  chained.write = async function lossy(options) {
    if (options?.sync === true) return write.call(this, options);
    const batch = this as { clear(): void; close(): Promise<void> };
    batch.clear();
    return batch.close();
  };
  try {
    return await use();
  } finally {
    chained.write = write;
  }
}

test("what a log has acknowledged survives a power cut: every write of its database is synced", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-cut-"));
  const size = await losingUnsynced(async () => {
    const store = await newStore("registered", await LevelStore.open(folder, { create: true }));
    const log = await openLog(store);
    await log.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
    for (let n = 0; n < 5; n++) await log.submit([dsse(record({ trace_id: `kept-${n}` }))]);
    await store.putRows([{ table: "swept", key: uint64(7), value: uint64(8) }]);
    const { size: acknowledged } = log.published;
    await log.close();
    return acknowledged;
  });
  assert.equal(size, 7);
  const store = await LevelStore.open(folder);
  assert.equal((await store.head())?.size, size);
  assert.equal((await store.lookup("swept", [uint64(7)]))[0]?.length, 8);
  await store.close();
});

test("what a witness has acknowledged survives a power cut: its journal is synced before anybody is told", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "writ-cut-")), "state");
  const probe = await open(`${path}.probe`, "w");
  const handle = Object.getPrototypeOf(probe) as {
    datasync: (this: object) => Promise<void>;
    sync: (this: object) => Promise<void>;
    stat: (this: object) => Promise<{ size: number; ino: number }>;
  };
  await probe.close();
  const { datasync, sync } = handle;
  const safe = new Map<number, number>();
  const noting = (real: (this: object) => Promise<void>) =>
    async function noted(this: object): Promise<void> {
      await real.call(this);
      const { ino, size } = await handle.stat.call(this);
      safe.set(ino, size);
    };
  handle.datasync = noting(datasync);
  handle.sync = noting(sync);
  try {
    const journal = await Journal.open(
      path,
      () => {},
      () => [],
      { create: true },
    );
    for (let n = 0; n < 20; n++) {
      await journal.append(utf8(`record ${n}`));
      // The power goes here: what was not synced is gone.
      const { ino, size } = await stat(path);
      assert.equal(safe.get(ino), size, `record ${n} was acknowledged and is not on disk`);
    }
    await journal.close();
  } finally {
    [handle.datasync, handle.sync] = [datasync, sync];
  }
  const { ino } = await stat(path);
  await truncate(path, safe.get(ino));
  const found: string[] = [];
  const again = await Journal.open(
    path,
    (body) => found.push(Buffer.from(body).toString()),
    () => [],
  );
  await again.close();
  assert.equal(found.length, 20);
});

test("a submission of more entries than a commit takes is a commit of its own, and ends", async () => {
  const log = await openLog(await newStore("raw"));
  const entries = Array.from({ length: 4_097 }, (_, n) => uint64(n));
  const { results } = await log.submitRaw(entries);
  assert.equal(results.length, 4_097);
  assert.equal(log.published.size, 4_098);
  await log.close();
});

test("a kept checkpoint is opened again only if the database has its root", async () => {
  const store = await newStore();
  const log = await openLog(store);
  const { checkpoint, root } = log.published;
  assert.deepEqual((await reopen(checkpoint, store, logKey))?.root, root);
  const other = { origin: logKey.name, size: 1, root: sha256(utf8("another")), extensions: [] };
  assert.equal(await reopen(signCheckpoint(other as never, logKey), store, logKey), null);
  const beyond = { origin: logKey.name, size: 9, root, extensions: [] };
  assert.equal(await reopen(signCheckpoint(beyond, logKey), store, logKey), null);
  await log.close();
});

test("of several sweeps that one entry began, the first that is done does not mark the others done", async () => {
  const store = await newStore("registered", new MemoryStore());
  const [first = new Uint8Array(0)] = await store.entries(0, 1);
  const keys = (): KeyTable => new KeyTable(keyRoots(openLogPolicy(first, logKey), logKey));
  const parents = [1, 2].map((n) => sha256(uint64(n)));
  const begun = parents.map(
    (parent): Sweep => ({ at: 50, kind: "grants-below", of: toHex(parent), from: 0 }),
  );
  await store.putRows([
    ...parents.map((parent, n) => childRow(parent, 10 + n, sha256(uint64(100 + n)))),
    ...begun.map(sweepRow),
  ]);
  const took: number[] = [];
  const sweeps = await Sweeps.open(store, keys(), (positions) => {
    took.push(...positions);
    // The process ends after the first.
    void sweeps.stop();
  });
  await sweeps.run();
  assert.equal(took.length, 1);
  const again = await Sweeps.open(store, keys(), (positions) => took.push(...positions));
  assert.equal(again.pendingFrom, 50, "what is left is known after a restart");
  await again.run();
  assert.deepEqual(
    took.toSorted((a, b) => a - b),
    [10, 11],
  );
  assert.equal((await Sweeps.open(store, keys(), () => {})).pendingFrom, Number.POSITIVE_INFINITY);
});

test("the store and its index agree after all of this", async () => {
  const store = await newStore();
  const log = await openLog(store);
  await log.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
  await checkStore(store, 2);
  await log.close();
});
