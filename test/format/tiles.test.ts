/** Tile paths, tiles, bundles: the spellings that are ours, and all the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyRange, extendRange, leafHash, rangeRoot } from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
import { formatBundle, parseBundle } from "../../src/format/bundle.js";
import { parseCheckpoint } from "../../src/format/checkpoint.js";
import { parseNote } from "../../src/format/note.js";
import { formatTile, parseTile } from "../../src/format/tile.js";
import { formatTilePath, parseTilePath, tilesOf, tileWidth } from "../../src/format/tile-path.js";
import { readVector, without } from "../support/vectors.js";

const malformed = (error: unknown) => error instanceof WritError && error.code === "TILE_MALFORMED";

test("paths: the specification's spellings, both ways", () => {
  const paths: Readonly<Record<string, object>> = {
    "tile/0/000": { kind: "hashes", level: 0, index: 0, width: 256 },
    "tile/0/x001/x234/067": { kind: "hashes", level: 0, index: 1234067, width: 256 },
    "tile/1/000.p/1": { kind: "hashes", level: 1, index: 0, width: 1 },
    "tile/63/x001/000.p/255": { kind: "hashes", level: 63, index: 1000, width: 255 },
    "tile/entries/x009/999.p/7": { kind: "entries", index: 9999, width: 7 },
  };
  for (const [path, id] of Object.entries(paths)) {
    const parsed = parseTilePath(path);
    assert.deepEqual(parsed, id);
    assert.ok(parsed !== undefined && formatTilePath(parsed) === path);
  }
});

test("paths: every other spelling is no tile", () => {
  for (const bad of [
    "tile/0/000.p",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/1000",
    "tile/0/x000",
    "tile/0/001/002",
    "tile/0/x001/0002",
    "tile/0/x000/001",
    "tile/0/x00/001",
    "tile/0/1",
    "tile/0/0001",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/000/",
    "tile//000",
    "tile/0//000",
    "tile/0/000.p/1/",
    "tile/entries/000.p/0",
    "tile/Entries/000",
    "tile/0/../000",
    "tile/0/%30%30%30",
    "tile/0/00a",
    "/tile/0/000",
    "tile/0/000\n",
    "tile/0/x999/x999/x999/x999/x999/x999/999",
  ]) {
    assert.equal(parseTilePath(bad), undefined, bad);
  }
});

test("widths: the specification's examples at 256 and 70,000", () => {
  assert.deepEqual([...tilesOf(0)], []);
  assert.deepEqual([...tilesOf(256)].map(formatTilePath), ["tile/0/000", "tile/1/000.p/1"]);
  const big = [...tilesOf(70_000)];
  assert.equal(big.filter(({ level, width }) => level === 0 && width === 256).length, 273);
  assert.deepEqual(big.filter(({ level, width }) => level > 0 || width < 256).map(formatTilePath), [
    "tile/0/273.p/112",
    "tile/1/000",
    "tile/1/001.p/17",
    "tile/2/000.p/1",
  ]);
  assert.equal(tileWidth(0, 1, 256), 0);
  assert.equal(tileWidth(40, 0, 70_000), 0);
});

test("tiles and bundles have exactly the bytes of their width", () => {
  const hashes = [1, 2, 3].map((n) => leafHash(Uint8Array.of(n)));
  assert.deepEqual(
    parseTile(formatTile(hashes), 3).map((h) => Buffer.from(h)),
    hashes.map((h) => Buffer.from(h)),
  );
  assert.throws(() => parseTile(formatTile(hashes), 2), malformed);
  assert.throws(() => parseTile(formatTile(hashes).subarray(1), 3), malformed);

  const entries = [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(65_535).fill(9)];
  const bundle = formatBundle(entries);
  assert.deepEqual(parseBundle(bundle, 3), entries);
  assert.deepEqual([...bundle.subarray(0, 5)], [0, 0, 0, 1, 1]);
  for (const [bytes, width] of [
    [bundle, 2],
    [bundle, 4],
    [bundle.subarray(0, -1), 3],
    [bundle.subarray(0, 4), 2],
    [Uint8Array.of(0), 1],
  ] as const) {
    assert.throws(() => parseBundle(bytes, width), malformed);
  }
  assert.throws(() => formatBundle([new Uint8Array(65_536)]), RangeError);
});

test("the tessera log's bundles hash to its tiles and its checkpoints' roots", {
  skip: without("tessera-log"),
}, () => {
  for (let size = 1; size <= 15; size++) {
    const entries = parseBundle(new Uint8Array(readVector(`tessera-log/tile/entries/000.p/${size}`)), size);
    const leaves = entries.map(leafHash);
    const tile = parseTile(new Uint8Array(readVector(`tessera-log/tile/0/000.p/${size}`)), size);
    assert.deepEqual(
      tile.map((h) => Buffer.from(h)),
      leaves.map((h) => Buffer.from(h)),
    );
    const { root } = parseCheckpoint(
      parseNote(new Uint8Array(readVector(`tessera-log/checkpoint.${size}`))).text,
    );
    assert.deepEqual(Buffer.from(rangeRoot(extendRange(emptyRange(), leaves))), Buffer.from(root));
    assert.deepEqual(
      Buffer.from(formatBundle(entries)),
      readVector(`tessera-log/tile/entries/000.p/${size}`),
    );
  }
});
