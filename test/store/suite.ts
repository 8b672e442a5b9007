/**
 * The store's contract as a suite: whoever implements `Store` calls it with a way to open one, and is done. `reopen`
 * opens what `open` opened again, after it was closed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
import { uint64 } from "../../src/format/bytes.js";
import { allRows, type Commit, type Row, type RowRange, type Store } from "../../src/store/contract.js";

export interface StoreMaker {
  open(): Promise<Store>;
  /** Null for a store that keeps nothing beyond its object. */
  reopen: (() => Promise<Store>) | null;
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const hash = (n: number): Hash => asHash(new Uint8Array(32).fill(n));
const key = (n: number) => new Uint8Array(32).fill(n);

function commit(expectedSize: number, count: number, more: Partial<Commit> = {}): Commit {
  const size = expectedSize + count;
  return {
    expectedSize,
    head: { size, root: hash(size), receivedAt: 1000 + size },
    entries: Array.from({ length: count }, (_, i) => bytes(expectedSize + i, 7)),
    tiles: [],
    rows: [],
    ...more,
  };
}

async function rows(store: Store, prefix: Uint8Array, range?: RowRange): Promise<string[]> {
  const found = await store.rows("record-id", prefix, range);
  const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");
  return found.map((row) => `${hex(row.key)}=${hex(row.value)}`);
}

const plain = (values: readonly (Uint8Array | undefined)[]) =>
  values.map((value) => (value === undefined ? null : [...value]));

export function storeSuite(name: string, maker: () => Promise<StoreMaker>): void {
  test(`${name}: begins empty`, async () => {
    const store = await (await maker()).open();
    assert.equal(await store.head(), null);
    assert.equal(await store.headOver(0), null);
    assert.deepEqual(plain(await store.lookup("entry-hash", [key(1)])), [null]);
    assert.deepEqual(plain(await store.tiles([{ level: 0, index: 0 }])), [null]);
    await assert.rejects(store.entries(0, 1), RangeError);
    await store.close();
  });

  test(`${name}: a commit is there whole, in order, and still there when opened again`, async () => {
    const made = await maker();
    let store = await made.open();
    const row = (table: Row["table"], k: Uint8Array, value: Uint8Array): Row => ({ table, key: k, value });
    const data = new Uint8Array(8704).fill(3);
    await store.commit(
      commit(0, 3, {
        tiles: [{ level: 1, index: 5, data }],
        rows: [row("entry-hash", key(9), bytes(4)), row("term", key(9), bytes(5))],
      }),
    );
    await store.commit(commit(3, 2));
    for (let round = 0; round < 2; round++) {
      assert.deepEqual({ ...(await store.head()), root: null }, { size: 5, root: null, receivedAt: 1005 });
      assert.deepEqual(plain(await store.entries(0, 5)), [
        [0, 7],
        [1, 7],
        [2, 7],
        [3, 7],
        [4, 7],
      ]);
      assert.deepEqual(plain(await store.entries(4, 5)), [[4, 7]]);
      assert.deepEqual(await store.entries(2, 2), []);
      await assert.rejects(store.entries(4, 6), RangeError);
      assert.equal((await store.headOver(0))?.size, 3);
      assert.equal((await store.headOver(2))?.size, 3);
      assert.equal((await store.headOver(3))?.size, 5);
      assert.equal(await store.headOver(5), null);
      const tiles = await store.tiles([
        { level: 1, index: 5 },
        { level: 5, index: 1 },
      ]);
      assert.equal(tiles[0]?.length, 8704);
      assert.equal(tiles[1], undefined);
      assert.deepEqual(plain(await store.lookup("entry-hash", [key(8), key(9)])), [null, [4]]);
      assert.deepEqual(plain(await store.lookup("term", [key(9)])), [[5]], "tables are apart");
      if (made.reopen === null) break;
      await store.close();
      store = await made.reopen();
    }
    await store.close();
  });

  test(`${name}: a commit of another size changes nothing`, async () => {
    const store = await (await maker()).open();
    await store.commit(commit(0, 2));
    for (const expected of [0, 1, 3]) {
      await assert.rejects(
        store.commit(commit(expected, 1)),
        (error) => error instanceof WritError && error.code === "STORE_CONFLICT",
      );
    }
    assert.equal((await store.head())?.size, 2);
    await assert.rejects(store.entries(2, 3), RangeError);
    await store.close();
  });

  test(`${name}: scans go by key order, by prefix, bounded, prefixes of 0xff included`, async () => {
    const store = await (await maker()).open();
    const keys = [
      bytes(2, 1),
      bytes(1),
      bytes(1, 255),
      bytes(1, 255, 0),
      bytes(255, 255),
      bytes(255),
      bytes(3),
    ];
    await store.commit(
      commit(0, 1, { rows: keys.map((k, i) => ({ table: "record-id" as const, key: k, value: bytes(i) })) }),
    );
    assert.deepEqual(await rows(store, bytes()), [
      "01=01",
      "01ff=02",
      "01ff00=03",
      "0201=00",
      "03=06",
      "ff=05",
      "ffff=04",
    ]);
    assert.deepEqual(await rows(store, bytes(1, 255)), ["01ff=02", "01ff00=03"]);
    assert.deepEqual(await rows(store, bytes(255)), ["ff=05", "ffff=04"]);
    assert.deepEqual(await rows(store, bytes(1), { limit: 2 }), ["01=01", "01ff=02"]);
    assert.deepEqual(await rows(store, bytes(1), { reverse: true, limit: 2 }), ["01ff00=03", "01ff=02"]);
    assert.deepEqual(await rows(store, bytes(1), { from: bytes(255), to: bytes(255, 0) }), ["01ff=02"]);
    assert.deepEqual(await rows(store, bytes(1), { to: bytes(255), reverse: true, limit: 1 }), ["01=01"]);
    assert.deepEqual(await rows(store, bytes(9)), []);
    await store.close();
  });

  test(`${name}: all rows of a table, however many pages; a cleared table is empty and the others are not`, async () => {
    const store = await (await maker()).open();
    const many = Array.from(
      { length: 2500 },
      (_, i): Row => ({ table: "term", key: uint64(i), value: bytes() }),
    );
    await store.commit(commit(0, 1, { rows: [{ table: "use", key: key(1), value: bytes(1) }] }));
    await store.putRows(many);
    const found: Uint8Array[] = [];
    for await (const row of allRows(store, "term")) found.push(row.key);
    assert.deepEqual(
      found.map((one) => [...one]),
      many.map((row) => [...row.key]),
    );
    assert.equal((await store.entriesAt([0, 1])).map((one) => one?.length).join(), "2,");
    await store.clearRows("term");
    assert.deepEqual(await store.rows("term", bytes()), []);
    assert.equal((await store.rows("use", bytes())).length, 1);
    await store.close();
  });

  test(`${name}: indexes beyond 2^32 keep their order`, async () => {
    const store = await (await maker()).open();
    const data = new Uint8Array(8704);
    await store.commit(
      commit(0, 1, { tiles: [2 ** 32, 2 ** 40 + 1].map((index) => ({ level: 0, index, data })) }),
    );
    const tiles = await store.tiles([2 ** 32, 0, 2 ** 40 + 1, 1].map((index) => ({ level: 0, index })));
    assert.deepEqual(
      tiles.map((tile) => tile !== undefined),
      [true, false, true, false],
    );
    await store.close();
  });

  test(`${name}: closed, it refuses instead of guessing`, async () => {
    const store = await (await maker()).open();
    await store.commit(commit(0, 1));
    await store.close();
    await assert.rejects(store.entries(0, 1));
    await assert.rejects(store.commit(commit(1, 1)));
  });
}
