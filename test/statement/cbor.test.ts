/** The gate in front of cbor-x: every deviation of RFC 8949 §4.2 is refused with its offset, and what we write passes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { WritError } from "../../src/errors.js";
import { CborReader, decodeCbor, encodeCbor } from "../../src/statement/cbor.js";
import { FUZZ_RUNS, RUNS } from "../support/runs.js";

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** Walks over exactly one item, of any kind. */
function walk(hex: string): void {
  const reader = new CborReader(bytesOf(hex));
  reader.skip();
  reader.end();
}

function refusal(act: () => unknown, what: string): string {
  try {
    act();
  } catch (error) {
    if (error instanceof WritError && error.code === "ENVELOPE_MALFORMED") return error.message;
    throw error;
  }
  return assert.fail(`${what} was accepted`);
}

/** Each deviation, the byte at which it is seen, and what is said of it. */
const DEVIATIONS: readonly (readonly [string, number, string])[] = [
  // Heads: §4.2.1 "as short as possible".
  ["1817", 0, "shortest"],
  ["190017", 0, "shortest"],
  ["1900ff", 0, "shortest"],
  ["1a0000ffff", 0, "shortest"],
  ["1b00000000ffffffff", 0, "shortest"],
  ["3817", 0, "shortest"],
  ["5817", 0, "shortest"],
  ["7801 61", 0, "shortest"],
  ["9800", 0, "shortest"],
  ["b800", 0, "shortest"],
  ["d81200", 0, "shortest"],
  ["82 00 1800", 2, "shortest"],
  // Indefinite lengths.
  ["5f4100ff", 0, "indefinite"],
  ["7f6161ff", 0, "indefinite"],
  ["9f01ff", 0, "indefinite"],
  ["bf0101ff", 0, "indefinite"],
  ["82019f01ff", 2, "indefinite"],
  ["ff", 0, "break"],
  // Reserved and ill-formed.
  ["1c", 0, "reserved"],
  ["fc", 0, "reserved"],
  ["f818", 0, "reserved"],
  ["f81f", 0, "reserved"],
  ["61ff", 1, "UTF-8"],
  ["62c328", 1, "UTF-8"],
  ["63eda080", 1, "UTF-8"],
  // Maps: keys once, in bytewise order of their encodings.
  ["a2 02 00 01 00", 3, "order"],
  ["a2 20 00 01 00", 3, "order"],
  ["a2 6162 00 6161 00", 4, "order"],
  ["a2 626161 00 6162 00", 5, "order"],
  ["a2 1818 00 01 00", 4, "order"],
  ["a2 01 00 01 00", 3, "twice"],
  ["a3 01 00 02 00 01 00", 5, "order"],
  ["81 a2 02 00 01 00", 4, "order"],
  // Floats: the shortest that has the value; one NaN.
  ["fa3f800000", 0, "float"],
  ["fb3ff0000000000000", 0, "float"],
  ["fb3ff8000000000000", 0, "float"],
  ["fa7fc00000", 0, "float"],
  ["f97e01", 0, "float"],
  ["fb7ff8000000000000", 0, "float"],
  ["fa7f800000", 0, "float"],
  ["fa477fe000", 0, "float"],
  ["fa33800000", 0, "float"],
  ["fb3ff1999980000000", 0, "float"],
  // Big numbers: only beyond 64 bits, without leading zeros (§3.4.3).
  ["c24101", 1, "big number"],
  ["c248ffffffffffffffff", 1, "big number"],
  ["c249000000000000000001", 1, "big number"],
  ["c340", 1, "big number"],
  // Lengths.
  ["", 0, "short"],
  ["41", 1, "short"],
  ["8201", 2, "short"],
  ["a101", 2, "short"],
  ["c0", 1, "short"],
  ["5bffffffffffffffff", 0, "length beyond"],
  ["9bffffffffffffffff", 0, "length beyond"],
  ["bb001fffffffffffff", 9, "short"],
  ["0001", 1, "after the end"],
  [`${"81".repeat(17)}00`, 17, "levels"],
];

test("CBOR: every deviation is refused with its offset", () => {
  for (const [hex, offset, says] of DEVIATIONS) {
    const message = refusal(() => walk(hex), hex);
    assert.match(message, new RegExp(`${says}.*\\(at byte ${offset}\\)$`), `${hex}: ${message}`);
  }
});

test("CBOR: what is deterministic is walked over, whatever it is", () => {
  for (const hex of [
    "17",
    "1818",
    "1b0020000000000000",
    "1bffffffffffffffff",
    "3bffffffffffffffff",
    "40",
    "60",
    "80",
    "a0",
    "a2 01 00 20 00",
    "a3 0a 01 1864 02 20 03",
    "a2 6162 00 626161 00",
    "a2 f4 00 f5 00",
    "f4",
    "f6",
    "f7",
    "e0",
    "f3",
    "f820",
    "f8ff",
    "f90000",
    "f98000",
    "f93c00",
    "f97e00",
    "f97c00",
    "f97bff",
    "f90001",
    "fa47c35000",
    "fa33000000",
    "fb3ff199999999999a",
    "c249010000000000000000",
    "c11a514b67b0",
    "d8184100",
    `${"81".repeat(16)}00`,
  ])
    assert.doesNotThrow(() => walk(hex), hex);
});

test("CBOR: huge counts and deep nesting end at once", () => {
  for (const hex of [
    "81".repeat(10_000),
    "a1".repeat(10_000),
    "c1".repeat(10_000),
    "9a ffffffff",
    "ba ffffffff",
    "9b 001fffffffffffff 00",
    "bb 001fffffffffffff 0000",
  ]) {
    const start = performance.now();
    refusal(() => walk(hex), hex.slice(0, 20));
    assert.ok(performance.now() - start < 100, hex.slice(0, 20));
  }
  const wide = `b9ffff${Array.from({ length: 0xffff }, (_, i) => Buffer.from(encodeCbor(i)).toString("hex") + "00").join("")}`;
  assert.doesNotThrow(() => walk(wide), "65,535 keys in order");
});

test("CBOR: deterministic on the way out, in whatever order it was put in", () => {
  const value = new Map<unknown, unknown>([
    [15, new Map([[1, "iss"]])],
    [-70000, [0, 23, 24, 255, 256, 65535, 65536, 2 ** 40, true, false, null]],
    [1, -19],
    ["b", 1],
    ["aa", 2],
    [3, "text"],
    [4, Uint8Array.of(1, 2)],
  ]);
  const bytes = encodeCbor(value);
  assert.deepEqual(Buffer.from(encodeCbor(decodeCbor(bytes))), Buffer.from(bytes));
  assert.deepEqual(
    Buffer.from(encodeCbor(new Map([...value].toReversed()))),
    Buffer.from(bytes),
    "the order of making is not the order of writing",
  );
  for (const bad of [1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => encodeCbor(bad), RangeError);
  const key = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "grapheme" }));
  const leaf = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "grapheme" }), fc.uint8Array(), fc.boolean());
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc
        .uniqueArray(fc.tuple(key, tie("tree")), { maxLength: 5, selector: ([name]) => name })
        .map((pairs) => new Map(pairs)),
    ),
  }));
  fc.assert(
    fc.property(tree, (made) => {
      const encoded = encodeCbor(made);
      assert.deepEqual(Buffer.from(encodeCbor(decodeCbor(encoded))), Buffer.from(encoded));
    }),
    { numRuns: RUNS },
  );
});

test("CBOR: what cbor-x would fold into another value is refused: whole floats, tags, keys of other kinds", () => {
  for (const hex of [
    "a2 01 32 f93c00 26",
    "f93c00",
    "f90000",
    "a104 f94200",
    "d9d9f7 a10132",
    "d90103 a10132",
    "a104 d84041aa",
    "a101 c100",
    "a1 f93800 32",
    "a1 4101 32",
    "a1 80 32",
    "a1 a0 32",
    "a1 f5 32",
    "a101 f7",
    "a101 e0",
    "a101 f820",
  ])
    refusal(() => decodeCbor(bytesOf(hex)), hex);
  assert.equal(
    decodeCbor(bytesOf("f93e00")),
    1.5,
    "a float that no integer is equal to is nobody's but its own",
  );
});

test("CBOR: in any order only where it was asked for, and even there each key once", () => {
  const unordered = bytesOf("a3 04 00 01 00 03 00");
  refusal(() => decodeCbor(unordered), "unordered");
  assert.deepEqual([...(decodeCbor(unordered, { anyOrder: true }) as Map<number, number>).keys()], [4, 1, 3]);
  const message = refusal(() => decodeCbor(bytesOf("a3 04 00 01 00 04 00"), { anyOrder: true }), "twice");
  assert.match(message, /twice \(at byte 5\)/);
});

test("CBOR: offsets count from where the sender's bytes begin", () => {
  assert.match(
    refusal(() => decodeCbor(bytesOf("1817"), { base: 40 }), "base"),
    /at byte 40/,
  );
});

test("CBOR: any bytes are a value or a coded error, and a value that is accepted is written back as it was", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      let value: unknown;
      try {
        value = decodeCbor(bytes);
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
        return;
      }
      if (isWritable(value)) assert.deepEqual(Buffer.from(encodeCbor(value)), Buffer.from(bytes));
    }),
    { numRuns: FUZZ_RUNS },
  );
});

/** What our own writer can write: no floats, no integers beyond 2^53, no odd simple values. */
function isWritable(value: unknown): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isWritable);
  if (value instanceof Map) return [...value].flat().every(isWritable);
  return (
    typeof value === "string" || value instanceof Uint8Array || typeof value === "boolean" || value === null
  );
}
