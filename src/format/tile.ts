/** Tiles (c2sp.org/tlog-tiles): 1 to 256 hashes in a row, 32 bytes each, nothing else. */
import { asHash, HASH_BYTES, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { concat } from "./bytes.js";

/** The hashes of a tile of `width`. WritError TILE_MALFORMED unless there are exactly that many. */
export function parseTile(bytes: Uint8Array, width: number): Hash[] {
  if (bytes.length !== width * HASH_BYTES) {
    throw new WritError(
      "TILE_MALFORMED",
      `a tile of ${width} has ${width * HASH_BYTES} bytes, got ${bytes.length}`,
    );
  }
  return Array.from({ length: width }, (_, i) =>
    asHash(bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
  );
}

export function formatTile(hashes: readonly Hash[]): Uint8Array {
  return concat(...hashes);
}
