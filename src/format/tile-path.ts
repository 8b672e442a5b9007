/**
 * Where tiles and entry bundles are (c2sp.org/tlog-tiles, "Merkle Tree" and "Log entries"):
 * `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, N in groups of three digits, `x` before all but the last.
 *
 *     tile/0/x001/x234/067      tile/1/000.p/17      tile/entries/000
 */
import { parseDecimal } from "./bytes.js";

export const TILE_WIDTH = 256;
const MAX_LEVEL = 63;

/** A tile of hashes at `level`, or the bundle of entries under a level-0 tile. `width` is 256 for a full one. */
export type TileId =
  | { readonly kind: "hashes"; readonly level: number; readonly index: number; readonly width: number }
  | { readonly kind: "entries"; readonly index: number; readonly width: number };

export function formatTilePath(id: TileId): string {
  const suffix = id.width === TILE_WIDTH ? "" : `.p/${id.width}`;
  return `tile/${id.kind === "hashes" ? id.level : "entries"}/${formatIndex(id.index)}${suffix}`;
}

/** The tile that a path names, or undefined for every spelling but ours. No percent-decoding is done. */
export function parseTilePath(path: string): TileId | undefined {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path);
  if (match === null) return undefined;
  const [, level = "", groups = "", partial] = match;
  const index = parseDecimal(groups.replaceAll(/[x/]/g, "").replace(/^0+(?=[0-9])/, ""));
  const width = partial === undefined ? TILE_WIDTH : parseDecimal(partial);
  if (index === undefined || width === undefined) return undefined;
  const id = tileId(level, index, width);
  // One rule covers x000 groups, leading zeros, widths of 0 and 256: accept only what we would have written.
  return id !== undefined && formatTilePath(id) === path ? id : undefined;
}

function tileId(level: string, index: number, width: number): TileId | undefined {
  if (width < 1 || width > TILE_WIDTH) return undefined;
  if (level === "entries") return { kind: "entries", index, width };
  const n = parseDecimal(level);
  return n === undefined || n > MAX_LEVEL ? undefined : { kind: "hashes", level: n, index, width };
}

function formatIndex(index: number): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, "0");
  const groups = digits.match(/.../g) ?? [];
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
}

/**
 * How many hashes the tile at (level, index) has in a tree of `size`: 256, less at the right edge, 0 when it is not
 * there at all.
 */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.min(TILE_WIDTH, Math.max(0, hashes - index * TILE_WIDTH));
}

/** The tiles of hashes that a tree of `size` has, lowest level first, left to right. */
export function* tilesOf(size: number): Generator<TileId & { readonly kind: "hashes" }> {
  for (let level = 0; tileWidth(level, 0, size) > 0; level++) {
    for (let index = 0; tileWidth(level, index, size) > 0; index++) {
      yield { kind: "hashes", level, index, width: tileWidth(level, index, size) };
    }
  }
}
