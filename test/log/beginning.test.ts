/** What begins like some digits: the same as looking at every hash, whatever its neighbours and copies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex, toHex, uint64 } from "../../src/format/bytes.js";
import { beginningWith, MAX_ALIKE } from "../../src/log/ask/beginning.js";
import { MemoryStore } from "../../src/store/memory.js";

/** 32 bytes from hex, filled up with one digit. */
function hash(digits: string, fill = "0"): Uint8Array {
  return fromHex(digits.padEnd(64, fill)) ?? new Uint8Array(0);
}

const HASHES = [
  hash("12345678"),
  hash("12345678", "f"),
  hash("123456780f"),
  hash("1234567810"),
  hash("123456789"),
  hash("12345679"),
  hash("123456ff", "f"),
  hash("12345700"),
  hash("ffffffff", "f"),
  hash("fffffffe", "f"),
];

async function filled(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.putRows(
    HASHES.flatMap((key, index) => [
      { table: index % 2 === 0 ? "record-id" : "entry-hash", key, value: uint64(index) } as const,
      // Copies of a record have rows of their own behind it.
      ...[70, 71]
        .map(
          (copy) =>
            ({ table: "record-id", key: concat(key, uint64(copy)), value: new Uint8Array(0) }) as const,
        )
        .slice(index % 2 === 0 ? 0 : 2),
    ]),
  );
  return store;
}

test("of any number of digits: those whose hash begins so, in log order, each once, and none that is not published", async () => {
  const store = await filled();
  for (const key of HASHES)
    for (const digits of [8, 9, 10, 11, 63, 64]) {
      const wanted = toHex(key).slice(0, digits);
      const alike = HASHES.flatMap((other, index) => (toHex(other).startsWith(wanted) ? [index] : []));
      assert.deepEqual(await beginningWith(store, wanted, 100), alike, wanted);
      assert.deepEqual(
        await beginningWith(store, wanted, 4),
        alike.filter((index) => index < 4),
      );
    }
  assert.deepEqual(await beginningWith(store, "00000000", 100), []);
  // The entry's hash and its record's id: one entry.
  await store.putRows([{ table: "record-id", key: hash("12345678", "e"), value: uint64(1) }]);
  assert.deepEqual(await beginningWith(store, "12345678f", 100), [1]);
  assert.deepEqual(await beginningWith(store, "12345678", 100), [0, 1, 2, 3, 4]);
});

test("of more than there is room for none is told, however many copies one of them has", async () => {
  const store = new MemoryStore();
  const rows = (count: number) =>
    Array.from(
      { length: count },
      (_, i) =>
        ({
          table: "record-id",
          key: hash(`abcdef01${String(i).padStart(4, "0")}`),
          value: uint64(i),
        }) as const,
    );
  const copies = Array.from(
    { length: 1000 },
    (_, i) =>
      ({
        table: "record-id",
        key: concat(hash("abcdef010003"), uint64(5000 + i)),
        value: new Uint8Array(0),
      }) as const,
  );
  await store.putRows([...rows(MAX_ALIKE), ...copies]);
  assert.equal((await beginningWith(store, "abcdef01", 1e6))?.length, MAX_ALIKE);
  await store.putRows(rows(MAX_ALIKE + 1));
  assert.equal(await beginningWith(store, "abcdef01", 1e6), null);
  assert.deepEqual(await beginningWith(store, "abcdef010003", 1e6), [3]);
});
